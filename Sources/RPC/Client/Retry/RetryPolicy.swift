/// When a call is sent again after it has failed (gRPC proposal A6, `retryPolicy`).
package struct RetryPolicy: Sendable, Equatable {
  /// Attempts in all, 2…5.
  package var maxAttempts: Int
  /// Pause before the second attempt; before the n-th it is `backoffMultiplier`ⁿ⁻² times as long.
  package var initialBackoff: Duration
  package var maxBackoff: Duration
  package var backoffMultiplier: Double
  package var retryableStatusCodes: Set<StatusCode>

  package init(
    maxAttempts: Int,
    initialBackoff: Duration,
    maxBackoff: Duration,
    backoffMultiplier: Double,
    retryableStatusCodes: Set<StatusCode>
  ) {
    self.maxAttempts = min(maxAttempts, Self.attemptLimit)
    self.initialBackoff = initialBackoff
    self.maxBackoff = maxBackoff
    self.backoffMultiplier = backoffMultiplier
    self.retryableStatusCodes = retryableStatusCodes
  }

  /// More attempts than this are never made, whatever a policy asks for.
  package static let attemptLimit = 5

  /// For methods whose schema calls them idempotent or without side effects, where no service config
  /// says otherwise.
  package static let idempotent = RetryPolicy(
    maxAttempts: 3,
    initialBackoff: .milliseconds(50),
    maxBackoff: .seconds(1),
    backoffMultiplier: 2,
    retryableStatusCodes: [.unavailable]
  )
}

/// When a call is sent several times at once (gRPC proposal A6, `hedgingPolicy`).
///
/// Only for methods that change nothing; others are called once.
package struct HedgingPolicy: Sendable, Equatable {
  /// Attempts in all, 2…5.
  package var maxAttempts: Int
  /// Pause between two attempts; zero sends them all at once.
  package var hedgingDelay: Duration
  /// A failure with another code ends the call.
  package var nonFatalStatusCodes: Set<StatusCode>

  package init(
    maxAttempts: Int,
    hedgingDelay: Duration,
    nonFatalStatusCodes: Set<StatusCode>
  ) {
    self.maxAttempts = min(maxAttempts, RetryPolicy.attemptLimit)
    self.hedgingDelay = hedgingDelay
    self.nonFatalStatusCodes = nonFatalStatusCodes
  }
}

/// What a failed attempt tells about whether to make another.
struct AttemptFailure: Equatable {
  var code: StatusCode
  var progress = CallProgress.sent
  /// The reply had begun, or the request is no longer held: nothing may be repeated.
  var isCommitted = false
  var pushback = RetryPushback.none
}

/// What a server says about attempts to come, in `grpc-retry-pushback-ms`.
enum RetryPushback: Equatable {
  case none
  case after(Duration)
  /// A negative number, or something that is no number.
  case stop

  init(_ text: String?) {
    guard let text else {
      self = .none
      return
    }
    guard let milliseconds = Int32(text), milliseconds >= 0 else {
      self = .stop
      return
    }
    self = .after(.milliseconds(milliseconds))
  }
}
