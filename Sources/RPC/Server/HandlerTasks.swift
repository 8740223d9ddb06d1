internal import EventLoop

/// The tasks that run the handlers of one server on one loop, each one call after the other.
///
/// To make a task for each call, and to end it, costs a twentieth of a short call: the task of a call
/// that has ended waits for the next one. A task that was cancelled stays so, and is let go.
///
/// Loop only.
final class HandlerTasks {
  private let loop: EventLoop
  private var idle = IdleList<HandlerTask>()
  private var isOpen = true

  init(loop: EventLoop) { self.loop = loop }

  /// Runs the handler of a call up to its first suspension.
  ///
  /// Each of its suspensions ends on the loop again, which the task prefers.
  ///
  /// - Returns: The task, to cancel it while the handler runs.
  func start(_ call: ServerCall, of connection: ServerConnection) -> Task<Void, Never>? {
    guard let waiting = idle.take() else { return startNew(call, connection) }
    waiting.goOn(with: call, of: connection, on: loop)
    return waiting.task
  }

  private func startNew(_ call: ServerCall, _ connection: ServerConnection) -> Task<Void, Never>? {
    isOpen = true
    let handler = HandlerTask(tasks: self, call: call, connection: connection)
    handler.task = Task.immediate(executorPreference: loop) { await handler.run() }
    return handler.task
  }

  /// Whether a task that has no call shall wait for one.
  fileprivate func keep(_ task: HandlerTask) -> Bool {
    if isOpen { idle.add(task) }
    return isOpen
  }

  /// Lets go what nobody has needed since it was called last.
  func trim() {
    for task in idle.takeNeedless() { task.end() }
  }

  /// No connection is left: keeps no task until a call comes.
  func close() {
    isOpen = false
    while let task = idle.take() { task.end() }
  }
}

/// Things out of use, kept as long as they are needed now and then.
struct IdleList<Element> {
  private var elements: [Element] = []
  /// The fewest that were here since the last look.
  private var needless = 0

  mutating func add(_ element: Element) { elements.append(element) }

  mutating func take() -> Element? {
    let element = elements.popLast()
    needless = min(needless, elements.count)
    return element
  }

  /// Removes what was here all the time since this was called last, the oldest first.
  mutating func takeNeedless() -> [Element] {
    let oldest = Array(elements.prefix(needless))
    elements.removeFirst(needless)
    needless = elements.count
    return oldest
  }
}

/// A task that runs handlers.
// @unchecked: confined to its loop.
private final class HandlerTask: @unchecked Sendable {
  private let tasks: HandlerTasks
  private var call: ServerCall?
  private var connection: ServerConnection
  private var waiting: UnsafeContinuation<Void, Never>?
  var task: Task<Void, Never>?

  init(tasks: HandlerTasks, call: ServerCall, connection: ServerConnection) {
    self.tasks = tasks
    self.call = call
    self.connection = connection
  }

  func goOn(with call: ServerCall, of connection: ServerConnection, on loop: EventLoop) {
    self.call = call
    self.connection = connection
    if let continuation = waiting.take() { loop.runNow(resuming: continuation) }
  }

  /// Without another call.
  func end() {
    waiting.take()?.resume()
  }

  // The answer is given here rather than in a function of its own: after each asynchronous one the
  // runtime looks up, behind a lock, which executor the task prefers.
  @concurrent func run() async {
    while let call = call.take() {
      do {
        var reply = try await connection.reply(to: call)
        connection.complete(call, &reply)
      } catch {
        connection.handlerFailed(call, .wrapping(error))
      }
      guard !Task.isCancelled, tasks.keep(self) else { return }
      await withUnsafeContinuation(isolation: nil) { waiting = $0 }
    }
  }
}
