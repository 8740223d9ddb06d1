/// Decides what follows each failed attempt of one call (gRPC proposal A6).
///
/// No I/O. What never left us is sent again at once and for nothing; what the peer's runtime refused
/// once more at once; anything else as the policy and the throttle allow, and never past the deadline.
struct RetryState {
  enum Decision: Equatable {
    /// The failure is the call's; the reason says why a failure that the policy would retry is.
    case giveUp(WithheldReason?)
    /// Send the same attempt again at once: no handler has seen it.
    case repeatAttempt
    /// Make a further attempt after the pause.
    case retry(after: Duration)
  }

  /// Attempts that a handler may have seen before the current one.
  private(set) var previousAttempts = 0
  private var wasRefused = false
  /// Begins anew when the server has named a pause.
  private var backoff: ExponentialBackoff?

  /// Takes a failure.
  ///
  /// - Parameters:
  ///   - failure: What happened.
  ///   - policy: Nil where the method has none.
  ///   - throttle: The channel's.
  ///   - remaining: Time up to the call's deadline.
  ///   - random: 0…1, for the jitter.
  /// - Returns: What to do now.
  mutating func failed(
    _ failure: AttemptFailure,
    policy: RetryPolicy?,
    throttle: inout RetryThrottle,
    remaining: Duration,
    random: Double
  ) -> Decision {
    if !failure.isCommitted, remaining > .zero, isFree(failure) { return .repeatAttempt }
    guard let policy else { return .giveUp(nil) }
    let isRetryable = policy.retryableStatusCodes.contains(failure.code)
    if isRetryable || failure.pushback == .stop { throttle.failed() }
    guard isRetryable else { return .giveUp(nil) }
    guard !failure.isCommitted else { return .giveUp(.committed) }
    guard failure.pushback != .stop else { return .giveUp(.pushback) }
    guard previousAttempts + 1 < policy.maxAttempts else { return .giveUp(.attempts) }
    guard throttle.allowsAttempt else { return .giveUp(.throttled) }
    let pause = pause(policy, failure.pushback, random)
    guard pause < remaining else { return .giveUp(.deadline) }
    previousAttempts += 1
    return .retry(after: pause)
  }

  private mutating func isFree(_ failure: AttemptFailure) -> Bool {
    switch failure.progress {
    case .unsent: return true
    case .refused:
      defer { wasRefused = true }
      return !wasRefused
    case .sent: return false
    }
  }

  private mutating func pause(
    _ policy: RetryPolicy,
    _ pushback: RetryPushback,
    _ random: Double
  ) -> Duration {
    if case .after(let asked) = pushback {
      backoff = nil
      return asked
    }
    var next =
      backoff
      ?? ExponentialBackoff(
        initial: policy.initialBackoff,
        longest: policy.maxBackoff,
        multiplier: policy.backoffMultiplier
      )
    defer { backoff = next }
    return next.next(random: random)
  }
}
