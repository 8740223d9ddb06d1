/// Decides when a hedged call sends its next attempt, and which end of an attempt is the call's
/// (gRPC proposal A6).
///
/// No I/O. The first attempt is under way when the state is made.
struct HedgingState {
  /// The reasons say why an attempt that was due is not made.
  enum Decision: Equatable {
    /// The end of this attempt is the end of the call; the others are given up.
    case finish(WithheldReason?)
    /// Send the next attempt now, and ask again after the pause.
    case send(thenWait: Duration)
    /// Ask again after the pause.
    case wait(Duration)
    /// Nothing but to wait for the attempts under way.
    case none(WithheldReason?)
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
    guard isNonFatal else { return .finish(nil) }
    if failure.pushback == .stop { isStopped = true }
    if let reason = withheld(throttle) {
      return running == 0 ? .finish(reason) : wait(because: reason)
    }
    if case .after(let pause) = failure.pushback { return .wait(pause) }
    return send(throttle)
  }

  /// That all attempts are under way is no reason until the last of them has failed.
  private func wait(because reason: WithheldReason) -> Decision {
    .none(reason == .attempts ? nil : reason)
  }

  private func withheld(_ throttle: RetryThrottle) -> WithheldReason? {
    if isStopped { return .pushback }
    if started >= policy.maxAttempts { return .attempts }
    return throttle.allowsAttempt ? nil : .throttled
  }

  private mutating func send(_ throttle: RetryThrottle) -> Decision {
    if let reason = withheld(throttle) { return wait(because: reason) }
    started += 1
    running += 1
    return .send(thenWait: policy.hedgingDelay)
  }
}
