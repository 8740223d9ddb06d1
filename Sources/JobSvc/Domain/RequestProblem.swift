internal import RPC

/// Why a request is refused before anything is stored.
struct RequestProblem: Error, Sendable, Hashable {
  /// A word of the public error list.
  let reason: String
  /// One sentence for the client.
  let message: String
  /// Field at fault, by its path in the request; empty when there is none.
  let field: String

  init(_ reason: String, _ message: String, field: String = "") {
    self.reason = reason
    self.message = message
    self.field = field
  }

  static func missing(_ field: String) -> RequestProblem {
    RequestProblem("MISSING_FIELD", "Field '\(field)' is required", field: field)
  }

  static func invalid(_ field: String, _ rule: String) -> RequestProblem {
    RequestProblem("INVALID_VALUE", "Parameter '\(field)' must be \(rule)", field: field)
  }

  static func twice(_ first: String, _ second: String) -> RequestProblem {
    RequestProblem(
      "DUPLICATE_FIELD",
      "Fields '\(first)' and '\(second)' mean the same; send one of them",
      field: second
    )
  }

  static func unknownJobType(_ name: String) -> RequestProblem {
    RequestProblem("UNKNOWN_JOB_TYPE", "Unknown job_type '\(name.prefix(64))'", field: "job_type")
  }

  /// The upload is absent or somebody else's.
  static func noSuchUpload(_ field: String) -> RequestProblem {
    RequestProblem("UPLOAD_NOT_FOUND", "No such upload", field: field)
  }

  /// The place was reserved, but nothing was sent there yet.
  static func incompleteUpload(_ field: String) -> RequestProblem {
    RequestProblem(
      "UPLOAD_INCOMPLETE",
      "The picture was not uploaded: PUT it to upload_url first",
      field: field
    )
  }

  /// The error that crosses services.
  var serviceError: ServiceError {
    let violations = field.isEmpty ? [] : [FieldViolation(field: field, description: message)]
    let code: StatusCode =
      switch reason {
      case "UPLOAD_NOT_FOUND": .notFound
      case "UPLOAD_INCOMPLETE": .failedPrecondition
      case "UNIMPLEMENTED": .unimplemented
      default: .invalidArgument
      }
    return ServiceError(
      code: code,
      reason: reason,
      message: message,
      violations: violations
    )
  }
}
