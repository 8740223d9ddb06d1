/// How an attempt of a call came about (gRPC proposals A6 and A96).
package enum AttemptKind: String, Sendable {
  case first
  /// No handler has seen the one before.
  case transparentRetry = "transparent_retry"
  /// By the method's retry policy.
  case retry
  /// By its hedging policy, beside others.
  case hedge
}

/// Why an attempt that a policy asks for was not made.
package enum WithheldReason: String, Sendable {
  /// The channel's failures have used its tokens up.
  case throttled
  /// The server forbids it.
  case pushback
  /// The reply had begun, or the request was no longer held.
  case committed
  /// The policy's attempts have been made.
  case attempts
  /// The pause would have ended behind the deadline.
  case deadline
}

/// Counts the attempts of calls to one target.
package protocol AttemptMetrics: Sendable {
  /// What counts the calls of a method; asked once for each method and loop.
  func counters(of method: MethodDescriptor) -> any AttemptCounters
}

/// Counts the attempts of one method's calls.
///
/// Called on the channel's loop, at every call: it may not wait.
package protocol AttemptCounters: Sendable {
  /// An attempt was sent.
  func attemptStarted(_ kind: AttemptKind)
  /// An attempt that a policy asks for was not made.
  func attemptWithheld(_ reason: WithheldReason)
}
