package import Postgres
package import RPC

extension ServiceError {
  /// What a caller is told when a statement of the service fails.
  ///
  /// A database that is out of reach is worth another try; everything else is our mistake, with the
  /// cause in the log alone.
  package init(_ error: PostgresError) {
    if error.kind == .cancelled {
      self = .runtime(.cancelled, "the call was cancelled")
    } else if error.isUnavailable {
      self.init(
        code: .unavailable,
        reason: "UNAVAILABLE",
        message: "The service is busy. Please try again.",
        retryAfter: .seconds(1),
        cause: error
      )
    } else {
      self = .internalError(cause: error)
    }
  }
}
