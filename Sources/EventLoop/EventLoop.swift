internal import CLoopThread
internal import CUV
internal import Synchronization

/// One libuv loop on one thread, which is also a Swift executor.
///
/// Tasks that prefer the loop (`Task(executorPreference:)`) and actors pinned to it (`unownedExecutor`,
/// through ``ActorExecutor``) run on its thread only, between two polls of the kernel:
///
///     poll → I/O callbacks → jobs (until none is ready) → flush of what became dirty → poll
///
/// Members marked *loop only* must be called on the loop's thread; the others from anywhere.
/// A loop that was stopped runs nothing any more: stop it after everything that lives on it ended.
// @unchecked: all unguarded state below is touched by the loop's own thread only; `isCurrent` tells.
package final class EventLoop: TaskExecutor, @unchecked Sendable {
  /// Name for logs and debuggers.
  package let name: String

  let uv: UnsafeMutablePointer<uv_loop_t>
  private let wakeUp: UnsafeMutablePointer<uv_async_t>
  private let prepare: UnsafeMutablePointer<uv_prepare_t>
  private let idle: UnsafeMutablePointer<uv_idle_t>
  private let thread = Mutex<uv_thread_t?>(nil)

  /// Jobs handed over by other threads.
  private let remote = Mutex(RemoteWork())
  private let actors: ActorExecutor
  /// Jobs enqueued on the loop's thread.
  private var ready: [Job] = []
  private var spare: [Job] = []
  private var dirty: [any TurnFlushable] = []
  private var spareDirty: [any TurnFlushable] = []
  private var isIdling = false
  /// Scratch space for one read, shared by every connection of the loop.
  ///
  /// Loop only: its contents are the next reader's as soon as the current callback returns.
  package let readBuffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: EventLoop.readBufferBytes,
    alignment: 16
  )
  /// Bytes taken from a socket at once.
  private static let readBufferBytes = 64 * 1_024
  /// Memory for what a connection writes, shared by those of the loop: who has nothing to send has none.
  ///
  /// Loop only: taken by a connection that fills it, and given back when the kernel has all of it.
  package var writeBuffer: [UInt8] = []
  /// Timer handles out of use, kept to spare an allocation for each deadline.
  var freeTimers: [UnsafeMutablePointer<uv_timer_t>] = []

  /// Work of the Swift runtime.
  fileprivate struct Job {
    let job: UnownedJob
    /// Part of an actor pinned to the loop, rather than of a task that belongs to no actor.
    let isActors: Bool
  }

  private struct RemoteWork {
    var jobs: [Job] = []
    var closures: [@Sendable () -> Void] = []
    var isStopping = false
    /// The thread has ended: nobody comes for work any more.
    var hasStopped = false

    var isEmpty: Bool { jobs.isEmpty && closures.isEmpty }
  }

  /// Makes a loop that does not run yet.
  ///
  /// - Throws: ``EventLoopError/library(call:message:)`` when the kernel refuses descriptors.
  package init(name: String) throws(EventLoopError) {
    self.name = name
    uv = .allocate(capacity: 1)
    wakeUp = .allocate(capacity: 1)
    prepare = .allocate(capacity: 1)
    idle = .allocate(capacity: 1)
    actors = ActorExecutor()
    actors.loop = self
    try check("uv_loop_init", uv_loop_init(uv))
    try check("uv_async_init", uv_async_init(uv, wakeUp) { loop(of: $0)?.takeRemoteWork() })
    try check("uv_prepare_init", uv_prepare_init(uv, prepare))
    try check("uv_idle_init", uv_idle_init(uv, idle))
    let this = Unmanaged.passUnretained(self).toOpaque()
    wakeUp.pointee.data = this
    prepare.pointee.data = this
    idle.pointee.data = this
    try check("uv_prepare_start", uv_prepare_start(prepare) { loop(of: $0)?.finishTurn() })
  }

  deinit {
    readBuffer.deallocate()
    freeHandles()
  }

  /// Gives back what libuv has; requests that never came to an end keep it.
  private func freeHandles() {
    for timer in freeTimers {
      uv_close(UnsafeMutableRawPointer(timer).assumingMemoryBound(to: uv_handle_t.self)) { base in
        UnsafeMutableRawPointer(base)?.assumingMemoryBound(to: uv_timer_t.self).deallocate()
      }
    }
    for handle in [UnsafeMutableRawPointer(wakeUp), .init(prepare), .init(idle)] {
      let base = handle.assumingMemoryBound(to: uv_handle_t.self)
      base.pointee.data = nil
      uv_close(base, nil)
    }
    // What was closed is told in a turn of its own.
    uv_run(uv, UV_RUN_NOWAIT)
    guard uv_loop_close(uv) == 0 else { return }
    uv.deallocate()
    wakeUp.deallocate()
    prepare.deallocate()
    idle.deallocate()
  }

  // MARK: Life

  /// The loop whose thread runs this code, or nil.
  package static var current: EventLoop? {
    guard let pointer = cloopthread_get() else { return nil }
    return Unmanaged<EventLoop>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// Whether the caller is on this loop's thread.
  package var isCurrent: Bool {
    cloopthread_get() == Unmanaged.passUnretained(self).toOpaque()
  }

  /// Traps when the caller is not on this loop's thread: that is a programming error.
  package func preconditionCurrent() {
    precondition(isCurrent, "called off the event loop")
  }

  /// Monotonic time, read from the kernel at each call.
  package var now: ContinuousClock.Instant { ContinuousClock.now }

  /// Starts the loop on a thread of its own.
  package func start() {
    thread.withLock { thread in
      precondition(thread == nil, "the loop runs already")
      var id = uv_thread_t()
      // Balanced at the end of the thread: the loop lives as long as its thread.
      let this = Unmanaged.passRetained(self).toOpaque()
      let code = uv_thread_create(
        &id,
        { argument in
          guard let argument else { return }
          let loop = Unmanaged<EventLoop>.fromOpaque(argument)
          loop.takeUnretainedValue().runThread()
          loop.release()
        },
        this
      )
      precondition(code == 0, "uv_thread_create: out of threads")
      thread = id
    }
  }

  /// Stops the loop after its current turn and waits for its thread.
  ///
  /// Not from the loop itself.
  package func stop() {
    precondition(!isCurrent, "a loop cannot wait for its own end")
    remote.withLock { $0.isStopping = true }
    uv_async_send(wakeUp)
    thread.withLock { thread in
      guard var id = thread else { return }
      uv_thread_join(&id)
      thread = nil
    }
  }

  private func runThread() {
    cloopthread_set(Unmanaged.passUnretained(self).toOpaque())
    cloopthread_name(name)
    _ = uv_run(uv, UV_RUN_DEFAULT)
    // What came in together with the wish to stop.
    finishTurn()
    letGo()
    cloopthread_set(nil)
  }

  /// Timers, watchers and work that came too late keep their owners alive until something happens: on
  /// a loop that has stopped nothing will.
  private func letGo() {
    let visit: uv_walk_cb = { handle, _ in
      guard let handle, let data = handle.pointee.data else { return }
      switch uv_handle_get_type(handle) {
      case UV_TIMER: Unmanaged<LoopTimer>.fromOpaque(data).takeUnretainedValue().cancel()
      case UV_POLL: Unmanaged<FDWatcher>.fromOpaque(data).takeUnretainedValue().close()
      default: break
      }
    }
    uv_walk(uv, visit, nil)
    dirty = []
    // Freed outside of the lock: what a closure held may submit more.
    _ = remote.withLock { remote in
      remote.hasStopped = true
      defer { remote.closures = [] }
      return remote.closures
    }
  }

  // MARK: Work

  /// Runs `work` on the loop in its next turn, or in this one when called on the loop.
  ///
  /// A loop that has stopped drops it.
  package func submit(_ work: @escaping @Sendable () -> Void) {
    let mustWake = remote.withLock { remote in
      guard !remote.hasStopped else { return false }
      defer { remote.closures.append(work) }
      return remote.isEmpty
    }
    if mustWake { uv_async_send(wakeUp) }
  }

  /// Takes a job of a task from the Swift runtime; part of `TaskExecutor`.
  package func enqueue(_ job: consuming ExecutorJob) {
    enqueue(Job(job: UnownedJob(job), isActors: false))
  }

  fileprivate func enqueue(_ job: Job) {
    if isCurrent {
      ready.append(job)
      return
    }
    let mustWake = remote.withLock { remote in
      defer { remote.jobs.append(job) }
      return remote.isEmpty
    }
    if mustWake { uv_async_send(wakeUp) }
  }

  /// Resumes a task that waits and prefers this loop, and runs it up to its next suspension.
  ///
  /// Loop only.
  package func runNow(resuming continuation: UnsafeContinuation<Void, Never>) {
    let waiting = ready.count
    // The runtime hands the rest of the task over at once, as the last of the jobs.
    continuation.resume()
    guard ready.count > waiting, let next = ready.popLast() else { return }
    next.job.runSynchronously(on: asUnownedTaskExecutor())
  }

  /// Calls `target.flush()` once when the jobs of this turn are done.
  ///
  /// Loop only.
  ///
  /// The target itself remembers that it is queued; the loop does not look for duplicates.
  package func enqueueFlush(_ target: any TurnFlushable) {
    dirty.append(target)
  }

  private func takeRemoteWork() {
    let work = remote.withLock { remote in
      defer {
        remote.jobs.removeAll(keepingCapacity: false)
        remote.closures.removeAll(keepingCapacity: false)
      }
      return remote
    }
    ready.append(contentsOf: work.jobs)
    for closure in work.closures { closure() }
    if work.isStopping { uv_stop(uv) }
  }

  /// Runs jobs until none is ready, then flushes; repeats while flushing made new jobs.
  ///
  /// After `maxRounds` it flushes anyway, and the loop polls without blocking, so that tasks which
  /// yield for ever cannot starve I/O.
  private func finishTurn() {
    var rounds = 0
    while rounds < Self.maxRounds, !(ready.isEmpty && dirty.isEmpty) {
      runReadyJobs()
      if ready.isEmpty { flushDirty() }
      rounds += 1
    }
    flushDirty()
    setIdling(!(ready.isEmpty && dirty.isEmpty))
  }

  /// Rounds of jobs in one turn before I/O is looked at again.
  private static let maxRounds = 64

  private func runReadyJobs() {
    swap(&ready, &spare)
    let serial = asUnownedSerialExecutor()
    let task = asUnownedTaskExecutor()
    for next in spare {
      if next.isActors {
        next.job.runSynchronously(isolatedTo: serial, taskExecutor: task)
      } else {
        next.job.runSynchronously(on: task)
      }
    }
    spare.removeAll(keepingCapacity: true)
  }

  private func flushDirty() {
    guard !dirty.isEmpty else { return }
    swap(&dirty, &spareDirty)
    for target in spareDirty { target.flush() }
    spareDirty.removeAll(keepingCapacity: true)
  }

  /// An active idle handle makes libuv poll without blocking.
  private func setIdling(_ wanted: Bool) {
    guard wanted != isIdling else { return }
    isIdling = wanted
    if wanted { uv_idle_start(idle) { _ in } } else { uv_idle_stop(idle) }
  }

  // MARK: Executor

  /// What an actor pinned to the loop returns as its `unownedExecutor`.
  package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    UnownedSerialExecutor(ordinary: actors)
  }

  package func asUnownedTaskExecutor() -> UnownedTaskExecutor {
    UnownedTaskExecutor(ordinary: self)
  }
}

/// The loop as the executor of actors.
///
/// It is not the loop itself, so that the two kinds of jobs stay apart: a job of a task that ran as if
/// it were an actor's would go through the queue again at each function of no actor that it calls.
// @unchecked: `loop` is set once, before anybody else knows the executor.
private final class ActorExecutor: SerialExecutor, @unchecked Sendable {
  /// The owner of this executor, which cannot outlive it.
  unowned(unsafe) var loop: EventLoop?

  func enqueue(_ job: consuming ExecutorJob) {
    loop?.enqueue(EventLoop.Job(job: UnownedJob(job), isActors: true))
  }

  func checkIsolated() {
    loop?.preconditionCurrent()
  }

  func isIsolatingCurrentContext() -> Bool? {
    loop?.isCurrent
  }
}

/// Something with output that is written once at the end of a turn.
package protocol TurnFlushable: AnyObject {
  /// Writes what has gathered. Called on the loop.
  func flush()
}

/// The loop a handle belongs to, from the handle's user data.
private func loop<Handle>(of handle: UnsafeMutablePointer<Handle>?) -> EventLoop? {
  guard let handle else { return nil }
  let base = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
  guard let data = base.pointee.data else { return nil }
  return Unmanaged<EventLoop>.fromOpaque(data).takeUnretainedValue()
}

/// Throws libuv's text when `code` is negative.
func check(_ call: String, _ code: Int32) throws(EventLoopError) {
  guard code < 0 else { return }
  throw .library(call: call, message: String(cString: uv_strerror(code)))
}
