internal import Logging
internal import Redis
internal import ServiceKit
internal import Synchronization

/// Tells watchers in this process that a job has new events; the events themselves are read from
/// the database.
final class EventHub: Sendable {
  private struct State {
    var nextID = 0
    /// Watchers of all jobs together.
    var count = 0
    var watchers: [JobID: [Int: AsyncStream<Void>.Continuation]] = [:]
  }

  private let state = Mutex(State())

  /// Watchers of one process.
  private let maxWatchers: Int

  init(maxWatchers: Int = 10_000) {
    self.maxWatchers = maxWatchers
  }

  /// The wakes of one watcher, the first at once; nil when there are too many watchers.
  func watch(_ job: JobID) -> Watch? {
    let (wakes, continuation) = AsyncStream.makeStream(
      of: Void.self,
      bufferingPolicy: .bufferingNewest(1)
    )
    let id: Int? = state.withLock { state in
      guard state.count < maxWatchers else { return nil }
      state.nextID += 1
      state.count += 1
      state.watchers[job, default: [:]][state.nextID] = continuation
      return state.nextID
    }
    guard let id else { return nil }
    continuation.yield()
    return Watch(wakes: wakes, continuation: continuation) { [self] in remove(id, job) }
  }

  /// One watcher's place; `end()` must be called.
  struct Watch: Sendable {
    let wakes: AsyncStream<Void>
    fileprivate let continuation: AsyncStream<Void>.Continuation
    let end: @Sendable () -> Void

    /// Ends the wakes.
    func finish() { continuation.finish() }
  }

  private func remove(_ id: Int, _ job: JobID) {
    state.withLock { state in
      guard state.watchers[job]?.removeValue(forKey: id) != nil else { return }
      state.count -= 1
      if state.watchers[job]?.isEmpty == true { state.watchers[job] = nil }
    }
  }

  /// Wakes the watchers of one job.
  func wake(_ job: JobID) {
    let waiting = state.withLock { $0.watchers[job].map { Array($0.values) } ?? [] }
    for continuation in waiting { continuation.yield() }
  }

  /// Wakes everybody: notices may have been lost.
  func wakeAll() {
    let waiting = state.withLock { $0.watchers.values.flatMap(\.values) }
    for continuation in waiting { continuation.yield() }
  }
}

/// Carries notices of new events between processes over Redis.
///
/// A lost notice costs a delay only: watchers look by themselves every `lookInterval`.
struct EventRelay: Worker {
  let name = "event-relay"
  let hub: EventHub
  let redis: RedisClient

  static let channel = "oneshot:jobs:events"
  private static let lookInterval: Duration = .seconds(2)

  /// Tells every process that `job` has new events.
  func announce(_ job: JobID) async {
    hub.wake(job)
    _ = try? await redis.publish(Self.channel, Array(job.description.utf8))
  }

  func run() async throws {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        while !Task.isCancelled {
          try? await Task.sleep(for: Self.lookInterval)
          hub.wakeAll()
        }
      }
      for await payload in redis.subscribe(Self.channel) {
        if let job = JobID(text: String(decoding: payload, as: UTF8.self)) { hub.wake(job) }
      }
      group.cancelAll()
    }
  }
}
