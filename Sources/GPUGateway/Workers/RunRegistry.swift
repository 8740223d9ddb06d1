internal import Foundation
internal import OneShotAPI
internal import RPC
internal import Synchronization

/// The runs of this process, by name: those that go on and those that ended not long ago.
final class RunRegistry: Sendable {
  private struct State {
    var runs: [String: Run] = [:]
    var active = 0
    /// Ended runs, the oldest at `firstEnded`.
    var ended: [(id: String, at: ContinuousClock.Instant)] = []
    var firstEnded = 0
  }

  /// Runs that wait to be executed.
  let queue: AsyncStream<Run>
  private let input: AsyncStream<Run>.Continuation
  private let state = Mutex(State())

  /// Runs that have not ended.
  static let maxActive = 256
  /// How long an ended run can still be attached to.
  static let memory: Duration = .seconds(900)
  /// Ended runs that are remembered.
  static let maxEnded = 4_096

  init() {
    (queue, input) = AsyncStream.makeStream(of: Run.self)
  }

  /// The run of the request's name, made and queued if there is none.
  ///
  /// - Throws: ``ServiceError`` `.resourceExhausted` when too many runs are active.
  func startOrAttach(_ request: Gpu.RunJobRequest) throws(ServiceError) -> Run {
    let (run, isNew): (Run?, Bool) = state.withLock { state in
      if let known = state.runs[request.runId] { return (known, false) }
      guard state.active < Self.maxActive else { return (nil, false) }
      let run = Run(request)
      state.runs[request.runId] = run
      state.active += 1
      return (run, true)
    }
    guard let run else {
      throw ServiceError(
        code: .resourceExhausted,
        reason: "PROVIDER_UNAVAILABLE",
        message: "Too many runs at once",
        retryAfter: .seconds(1)
      )
    }
    if isNew { input.yield(run) }
    return run
  }

  /// The run called `id`, if it is remembered.
  func run(_ id: String) -> Run? { state.withLock { $0.runs[id] } }

  /// Runs of a user that have not ended.
  func active(of user: UUID) -> [Run] {
    state.withLock { state in
      state.runs.values.filter {
        $0.endedAt == nil && UUID(uuidString: $0.request.userId) == user
      }
    }
  }

  /// Runs that have not ended.
  var activeCount: Int { state.withLock { $0.active } }

  /// Notes that a run was executed, and forgets the oldest.
  func didEnd(_ run: Run) {
    let now = ContinuousClock.now
    state.withLock { state in
      state.active -= 1
      state.ended.append((run.id, now))
      while state.firstEnded < state.ended.count {
        let oldest = state.ended[state.firstEnded]
        let count = state.ended.count - state.firstEnded
        guard count > Self.maxEnded || now - oldest.at > Self.memory else { break }
        state.runs[oldest.id] = nil
        state.firstEnded += 1
      }
      guard state.firstEnded > Self.maxEnded else { return }
      state.ended.removeFirst(state.firstEnded)
      state.firstEnded = 0
    }
  }
}
