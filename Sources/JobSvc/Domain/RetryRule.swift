/// When a failed attempt is followed by another.
struct RetryRule: Sendable, Hashable {
  /// Waits before the second, third, … attempt; one attempt more than there are waits.
  let delays: [Duration]

  /// How often a worker may vanish during one job before the job is given up.
  static let maxLosses = 5

  /// Attempts in all.
  var maxAttempts: Int { delays.count + 1 }

  /// What follows the end of attempt number `attempt` (from 1).
  func decision(afterAttempt attempt: Int, isRetryable: Bool) -> Decision {
    guard isRetryable, attempt >= 1, attempt <= delays.count else { return .fail }
    return .retry(after: delays[attempt - 1])
  }

  enum Decision: Sendable, Hashable {
    case retry(after: Duration)
    case fail
  }
}
