/// Decides when a hedged call sends its next attempt, and which end of an attempt is the call's
/// (gRPC proposal A6).
///
/// No I/O. The first attempt is under way when the state is made.
struct HedgingState {
  enum Decision: Equatable {
    /// The end of this attempt is the end of the call; the others are given up.
    case finish
    /// Send the next attempt now, and ask again after the pause.
    case send(thenWait: Duration)
    /// Ask again after the pause.
    case wait(Duration)
    /// Nothing but to wait for the attempts under way.
    case none
  }

  private let policy: HedgingPolicy
  private var started = 1
  private var running = 1
  private var isStopped = false

  init(_ policy: HedgingPolicy) {
    self.policy = policy
  }

  /// Attempts that were sent before the one that is sent now.
  var previousAttempts: Int { started - 1 }

  /// The pause is over.
  mutating func timerFired(_ throttle: RetryThrottle) -> Decision {
    send(throttle)
  }

  /// An attempt has failed; a success needs no decision.
  mutating func failed(_ failure: AttemptFailure, _ throttle: inout RetryThrottle) -> Decision {
    running -= 1
    let isNonFatal = policy.nonFatalStatusCodes.contains(failure.code)
    if isNonFatal || failure.pushback == .stop { throttle.failed() }
    guard isNonFatal else { return .finish }
    if failure.pushback == .stop { isStopped = true }
    guard mayStart(throttle) else { return running == 0 ? .finish : .none }
    if case .after(let pause) = failure.pushback { return .wait(pause) }
    return send(throttle)
  }

  private func mayStart(_ throttle: RetryThrottle) -> Bool {
    !isStopped && started < policy.maxAttempts && throttle.allowsAttempt
  }

  private mutating func send(_ throttle: RetryThrottle) -> Decision {
    guard mayStart(throttle) else { return .none }
    started += 1
    running += 1
    return .send(thenWait: policy.hedgingDelay)
  }
}
