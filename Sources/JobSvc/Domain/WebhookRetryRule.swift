/// What follows an attempt to deliver a notice.
struct WebhookRetryRule: Sendable, Hashable {
  /// Waits before the second, third, … attempt; one attempt more than there are waits.
  let delays: [Duration]

  /// The wait that a receiver may ask for by Retry-After.
  static let longestRetryAfter: Duration = .seconds(24 * 60 * 60)
  /// Waits are longer by up to this part, so that what failed together does not return together.
  static let jitter = 0.1

  /// What came of an attempt.
  enum Outcome: Sendable, Hashable {
    /// The receiver answered.
    case answered(status: Int, retryAfter: Duration?)
    /// It did not; a word for the log.
    case failed(String)
  }

  /// What is done about it.
  enum Decision: Sendable, Hashable {
    case delivered
    case retry(after: Duration)
    case dead
  }

  /// What follows attempt number `attempt` (from 1); `chance` of 0…1 spreads the waits.
  func decision(afterAttempt attempt: Int, _ outcome: Outcome, chance: Double) -> Decision {
    var wanted = Duration.zero
    if case .answered(let status, let retryAfter) = outcome {
      if (200..<300).contains(status) { return .delivered }
      // Gone: the receiver wants no more.
      if status == 410 { return .dead }
      wanted = min(retryAfter ?? .zero, Self.longestRetryAfter)
    }
    guard attempt >= 1, attempt <= delays.count else { return .dead }
    return .retry(after: max(delays[attempt - 1], wanted) * (1 + Self.jitter * chance))
  }
}
