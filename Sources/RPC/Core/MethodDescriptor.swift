/// Which sides of a call send more than one message.
package enum MethodKind: Sendable, Hashable {
  case unary, clientStreaming, serverStreaming, bidirectional
}

/// When a client repeats a call by itself (`oneshot.options.v1.RetryClass`).
package enum RetryClass: Sendable, Hashable {
  /// Only what no handler has seen, as the runtime does for every method.
  case none, unavailable
  /// Also where a handler may have seen it: the method is idempotent by its own key.
  case idempotent
}

/// What the schema says about one RPC.
///
/// A class: every call refers to one, and to copy its strings would cost each call a dozen retains.
package final class MethodDescriptor: Sendable {
  /// Full name of the service, `oneshot.jobs.v1.JobService`.
  package let service: String
  /// Name of the method, `CreateJob`.
  package let method: String
  package let kind: MethodKind
  /// Services whose certificate may call it; empty: any verified peer.
  package let allowedCallers: [String]
  /// Safe to send twice.
  package let noSideEffects: Bool
  /// When the client repeats a call where no service config says otherwise.
  package let retry: RetryClass
  /// Deadline when the caller names none; 0: the runtime's default.
  package let defaultTimeoutMilliseconds: Int
  /// The same; nil: the runtime's default.
  let defaultTimeout: Duration?
  /// Full names of the messages.
  package let requestType: String
  package let responseType: String
  /// `/service/method`, as it stands in `:path`.
  package let path: String

  package init(
    service: String,
    method: String,
    kind: MethodKind,
    allowedCallers: [String],
    noSideEffects: Bool,
    retry: RetryClass = .none,
    defaultTimeoutMilliseconds: Int,
    requestType: String,
    responseType: String
  ) {
    self.service = service
    self.method = method
    self.kind = kind
    self.allowedCallers = allowedCallers
    self.noSideEffects = noSideEffects
    self.retry = retry
    self.defaultTimeoutMilliseconds = defaultTimeoutMilliseconds
    defaultTimeout =
      defaultTimeoutMilliseconds > 0 ? .milliseconds(defaultTimeoutMilliseconds) : nil
    self.requestType = requestType
    self.responseType = responseType
    path = "/\(service)/\(method)"
  }
}
