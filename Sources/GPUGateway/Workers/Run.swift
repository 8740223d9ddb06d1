internal import OneShotAPI
internal import Synchronization

/// One attempt of a job in this process, with everything that was said about it.
///
///     waiting → running → ended (succeeded or failed)
///
/// It ends exactly once; what comes later is ignored. Any number of streams may follow it, also
/// after its end.
final class Run: Sendable {
  let request: Gpu.RunJobRequest

  private struct State {
    var events: [Gpu.RunEvent] = []
    var endedAt: ContinuousClock.Instant?
    var isCancelled = false
    var lastProgress: Int32 = 0
    var followers: [Int: AsyncStream<Void>.Continuation] = [:]
    var nextFollower = 0
    var onCancel: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  /// Progress events kept; a provider that says more is shortened to its last words.
  private static let maxEvents = 1_000

  init(_ request: Gpu.RunJobRequest) {
    self.request = request
  }

  var id: String { request.runId }

  /// When the run ended.
  var endedAt: ContinuousClock.Instant? { state.withLock { $0.endedAt } }
  /// Whether somebody asked to stop it.
  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  // MARK: Saying

  /// Says that a provider has taken the run.
  func accepted(by provider: String, task: String) {
    add(
      .accepted(
        .with {
          $0.provider = provider
          $0.providerTask = task
        }
      )
    )
  }

  /// Says how far the run is; progress never falls.
  func progressed(_ stage: Gpu.RunStage, basisPoints: Int32, message: String = "") {
    let clamped = state.withLock { state in
      state.lastProgress = max(state.lastProgress, min(max(basisPoints, 0), 9_999))
      return state.lastProgress
    }
    add(
      .progress(
        .with {
          $0.stage = stage
          $0.progressBasisPoints = clamped
          $0.message = message
        }
      )
    )
  }

  /// Ends the run well.
  func succeeded(_ result: Gpu.RunSucceeded) { add(.succeeded(result), isLast: true) }

  /// Ends the run badly.
  func failed(_ failure: RunFailure, provider: String) {
    add(
      .failed(
        .with {
          $0.reason = failure.reason
          $0.message = failure.message
          $0.retryable = failure.isRetryable
          $0.provider = provider
        }
      ),
      isLast: true
    )
  }

  private func add(_ event: Gpu.RunEvent.Event, isLast: Bool = false) {
    let followers: [AsyncStream<Void>.Continuation] = state.withLock { state in
      guard state.endedAt == nil else { return [] }
      guard isLast || state.events.count < Self.maxEvents else { return [] }
      state.events.append(
        .with {
          $0.sequence = Int64(state.events.count + 1)
          $0.event = event
        }
      )
      if isLast {
        state.endedAt = .now
        state.onCancel = nil
      }
      return Array(state.followers.values)
    }
    for follower in followers { follower.yield() }
  }

  // MARK: Listening

  /// Calls `body` with each event after number `sequence`, until the run has ended.
  func follow(
    after sequence: Int64,
    _ body: (Gpu.RunEvent) async throws -> Void
  ) async throws {
    let (wakes, continuation) = AsyncStream.makeStream(
      of: Void.self,
      bufferingPolicy: .bufferingNewest(1)
    )
    let follower = state.withLock { state in
      state.nextFollower += 1
      state.followers[state.nextFollower] = continuation
      return state.nextFollower
    }
    defer { state.withLock { _ = $0.followers.removeValue(forKey: follower) } }
    continuation.yield()
    var next = Int(clamping: max(0, sequence))
    for await _ in wakes {
      let (new, hasEnded) = state.withLock { state in
        (Array(state.events.dropFirst(next)), state.endedAt != nil)
      }
      for event in new { try await body(event) }
      next += new.count
      if hasEnded { return }
    }
    try Task.checkCancellation()
  }

  // MARK: Stopping

  /// What asking for the end of a run came to.
  enum CancelOutcome: Sendable {
    case stopped, alreadyEnded
  }

  /// Stops the run, or keeps it from starting.
  func cancel() -> CancelOutcome {
    let (outcome, action): (CancelOutcome, (@Sendable () -> Void)?) = state.withLock { state in
      guard state.endedAt == nil else { return (.alreadyEnded, nil) }
      state.isCancelled = true
      return (.stopped, state.onCancel)
    }
    action?()
    return outcome
  }

  /// Sets what stops the run's work; called at once if it was cancelled before.
  func onCancel(_ action: @escaping @Sendable () -> Void) {
    let isCancelled = state.withLock { state in
      state.onCancel = action
      return state.isCancelled
    }
    if isCancelled { action() }
  }
}
