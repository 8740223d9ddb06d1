internal import HTTPCore
internal import OneShotAPI
internal import RPC

/// What `ErrorReason` says about each reason, by name.
enum ReasonTable {
  struct Entry: Sendable {
    let status: HTTPStatus
    let title: String
  }

  private static let entries: [String: Entry] = Dictionary(
    uniqueKeysWithValues: ErrorReasons.all.map { reason in
      (reason.name, Entry(status: HTTPStatus(rawValue: reason.httpStatus), title: reason.title))
    }
  )

  /// Status and title of a reason; nil when the schema does not know it.
  static func entry(_ reason: String) -> Entry? { entries[reason] }

  /// The reason of an error that brought none of ours: the runtime's own.
  static func reason(of code: StatusCode) -> String {
    switch code {
    case .ok, .unknown, .internalError, .dataLoss: "INTERNAL"
    case .cancelled: "CANCELLED"
    case .invalidArgument, .failedPrecondition, .outOfRange: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists, .aborted: "CONFLICT"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RATE_LIMITED"
    case .unimplemented: "UNIMPLEMENTED"
    case .unavailable: "UNAVAILABLE"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }

  /// The text of a server's failure: the service's own for reasons of ours, else a constant, since
  /// the runtime's texts name addresses and methods.
  static func publicDetail(of error: ServiceError, _ reason: String) -> String {
    if entry(error.reason) != nil, !isRuntime(error) { return error.message }
    switch reason {
    case "UNAVAILABLE": return "The service is not available at the moment."
    case "DEADLINE_EXCEEDED": return "The request took too long."
    case "CANCELLED": return "The request was cancelled."
    case "UNIMPLEMENTED": return "The operation is not available."
    default: return "Something went wrong on our side."
    }
  }

  /// Whether the reason is the code's own name, which only the RPC runtime gives.
  private static func isRuntime(_ error: ServiceError) -> Bool {
    error.reason == error.code.name || error.reason == "INTERNAL"
  }
}
