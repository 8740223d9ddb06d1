internal import HTTPCore
internal import RPC

/// The HTTP status of each gRPC code (google/rpc/code.proto), where an error's reason has none.
enum StatusTable {
  /// The status of `code`.
  static func httpStatus(of code: StatusCode) -> HTTPStatus {
    switch code {
    case .ok: 200
    case .cancelled: 499
    case .unknown: 500
    case .invalidArgument: 400
    case .deadlineExceeded: 504
    case .notFound: 404
    case .alreadyExists: 409
    case .permissionDenied: 403
    case .resourceExhausted: 429
    case .failedPrecondition: 400
    case .aborted: 409
    case .outOfRange: 400
    case .unimplemented: 501
    case .internalError: 500
    case .unavailable: 503
    case .dataLoss: 500
    case .unauthenticated: 401
    }
  }
}
