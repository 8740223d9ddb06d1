package import Logging
internal import Metrics
package import RPC
internal import Synchronization

/// Measures every call that a service answers or makes, and logs those that went wrong.
///
/// `rpc_server_duration_seconds` and `rpc_client_duration_seconds`, by method and code.
package final class RPCObserver: ServerInterceptor, ClientInterceptor {
  private struct Key: Hashable {
    let isServer: Bool
    let path: String
    let code: Int
  }

  private let logger: Logger
  private let timers = Mutex<[Key: Metrics.Timer]>([:])

  /// Observes for `logger`'s service.
  package init(logger: Logger) {
    self.logger = logger
  }

  package func callDidEnd(_ context: ServerContext, error: ServiceError?, duration: Duration) {
    record(context.method, isServer: true, error, duration)
    guard let error else { return }
    var fields = fields(context.method, error, duration)
    if let id = context.requestID { fields["request_id"] = .string(id) }
    if let principal = context.principal {
      fields["user_id"] = .string(principal.userID.uuidString.lowercased())
    }
    logger.log(level: level(error), "call refused or failed", metadata: fields)
  }

  package func callDidEnd(_ method: MethodDescriptor, error: ServiceError?, duration: Duration) {
    record(method, isServer: false, error, duration)
    guard let error else { return }
    logger.debug("call to a service failed", metadata: fields(method, error, duration))
  }

  /// Refusals are everyday life; only our own mistakes are errors.
  private func level(_ error: ServiceError) -> Logger.Level {
    switch error.code {
    case .internalError, .unknown, .dataLoss: .error
    case .unavailable, .deadlineExceeded: .warning
    default: .debug
    }
  }

  private func fields(
    _ method: MethodDescriptor,
    _ error: ServiceError,
    _ duration: Duration
  ) -> Logger.Metadata {
    var fields: Logger.Metadata = [
      "method": .string(method.path), "code": .string(error.code.name),
      "reason": .string(error.reason), "text": .string(error.message),
      "duration_ms": .stringConvertible(duration.milliseconds),
    ]
    if let cause = error.cause { fields["cause"] = "\(cause)" }
    return fields
  }

  private func record(
    _ method: MethodDescriptor,
    isServer: Bool,
    _ error: ServiceError?,
    _ duration: Duration
  ) {
    let code = error?.code ?? .ok
    let key = Key(isServer: isServer, path: method.path, code: code.rawValue)
    let timer = timers.withLock { timers in
      if let known = timers[key] { return known }
      let new = Metrics.Timer(
        label: isServer ? "rpc_server_duration_seconds" : "rpc_client_duration_seconds",
        dimensions: [
          ("service", method.service), ("method", method.method), ("code", code.name),
        ]
      )
      timers[key] = new
      return new
    }
    let (seconds, attoseconds) = duration.components
    timer.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }
}
