/// One field of a request and what is wrong with it.
package struct FieldViolation: Sendable, Hashable {
  /// Path of the field, `params.scale`.
  package var field: String
  /// What is wrong, for people.
  package var description: String

  package init(field: String, description: String) {
    self.field = field
    self.description = description
  }
}

/// One quota that a caller has used up.
package struct QuotaViolation: Sendable, Hashable {
  /// Whose quota, `user:42` or `plan:free`.
  package var subject: String
  /// Which quota, and what to do about it, for people.
  package var description: String

  package init(subject: String, description: String) {
    self.subject = subject
    self.description = description
  }
}

/// The one error that crosses services.
///
/// Code, reason, message and details travel (`grpc-status`, `grpc-message`, `grpc-status-details-bin`
/// with ErrorInfo, RetryInfo, BadRequest and QuotaFailure); the cause stays here, for the log.
package struct ServiceError: Error, Sendable {
  /// gRPC's class of the error.
  package var code: StatusCode
  /// Stable upper-case word that clients may test, from `ErrorReason`.
  package var reason: String
  /// Text for people; nothing internal.
  package var message: String
  /// When trying again makes sense.
  package var retryAfter: Duration?
  /// Typed extras of ErrorInfo, such as `extras_json`.
  package var metadata: [String: String]
  /// Fields that were refused.
  package var violations: [FieldViolation]
  /// Quotas that are used up.
  package var quotaViolations: [QuotaViolation]
  /// What happened underneath; logged, never sent.
  package var cause: (any Error)?

  /// Domain of our ErrorInfo.
  package static let domain = "oneshot"

  package init(
    code: StatusCode,
    reason: String,
    message: String,
    retryAfter: Duration? = nil,
    metadata: [String: String] = [:],
    violations: [FieldViolation] = [],
    quotaViolations: [QuotaViolation] = [],
    cause: (any Error)? = nil
  ) {
    self.code = code
    self.reason = reason
    self.message = message
    self.retryAfter = retryAfter
    self.metadata = metadata
    self.violations = violations
    self.quotaViolations = quotaViolations
    self.cause = cause
  }

  /// An error of the runtime itself, whose reason is the code's name.
  package static func runtime(_ code: StatusCode, _ message: String) -> ServiceError {
    ServiceError(code: code, reason: code.name, message: message)
  }

  /// What a handler's unexpected error becomes: a constant text outside, the cause for the log.
  package static func internalError(cause: any Error) -> ServiceError {
    ServiceError(
      code: .internalError,
      reason: "INTERNAL",
      message: "internal error",
      cause: cause
    )
  }

  /// The error as seen by a caller of ours: our own kind as it is, cancellation, or internal.
  package static func wrapping(_ error: any Error) -> ServiceError {
    if let error = error as? ServiceError { return error }
    if error is CancellationError { return .runtime(.cancelled, "the call was cancelled") }
    return .internalError(cause: error)
  }
}

extension ServiceError: CustomStringConvertible {
  package var description: String {
    let cause = cause.map { " (\($0))" } ?? ""
    return "\(code.name) \(reason): \(message)\(cause)"
  }
}
