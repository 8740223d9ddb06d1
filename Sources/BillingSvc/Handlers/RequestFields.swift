internal import Foundation
internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

/// Reads fields of requests, or refuses the request with the field's name.
enum RequestFields {
  /// The job that a call is about; its id stands on the call's log lines.
  static func job(_ text: String) throws(ServiceError) -> JobID {
    guard let id = JobID(text: text) else { throw invalid("job_id", "must be a UUID") }
    LogContext.note(id)
    return id
  }

  static func user(_ text: String) throws(ServiceError) -> UserID {
    guard let id = UserID(text: text) else { throw invalid("user_id", "must be a UUID") }
    return id
  }

  /// A text of 1 to `maxBytes` bytes.
  static func text(
    _ text: String,
    _ field: String,
    maxBytes: Int
  ) throws(ServiceError) -> String {
    guard !text.isEmpty else {
      throw ServiceError(
        code: .invalidArgument,
        reason: "MISSING_FIELD",
        message: "The field '\(field)' is required.",
        violations: [FieldViolation(field: field, description: "is required")]
      )
    }
    guard text.utf8.count <= maxBytes, !text.utf8.contains(0) else {
      throw invalid(field, "must have at most \(maxBytes) bytes")
    }
    return text
  }

  /// A moment in the years 1 to 9999; nil when it is not given.
  static func date(
    _ timestamp: GoogleProtobuf.Timestamp?,
    _ field: String
  ) throws(ServiceError) -> Date? {
    guard let timestamp else { return nil }
    guard let date = timestamp.date else {
      throw invalid(field, "must be a time in the years 1 to 9999")
    }
    return date
  }

  static func invalid(_ field: String, _ description: String) -> ServiceError {
    ServiceError(
      code: .invalidArgument,
      reason: "INVALID_VALUE",
      message: "The field '\(field)' \(description).",
      violations: [FieldViolation(field: field, description: description)]
    )
  }

  /// The signed-in user.
  static func principal(_ context: ServerContext) throws(ServiceError) -> UserID {
    guard let principal = context.principal else {
      throw ServiceError(
        code: .unauthenticated,
        reason: "UNAUTHENTICATED",
        message: "Please sign in."
      )
    }
    return UserID(principal.userID)
  }
}
