/// Which sides of a call send more than one message.
package enum MethodKind: Sendable, Hashable {
  case unary, clientStreaming, serverStreaming, bidirectional
}

/// What the schema says about one RPC.
package struct MethodDescriptor: Sendable {
  /// Full name of the service, `oneshot.jobs.v1.JobService`.
  package let service: String
  /// Name of the method, `CreateJob`.
  package let method: String
  package let kind: MethodKind
  /// Services whose certificate may call it; empty: any verified peer.
  package let allowedCallers: [String]
  /// Safe to send twice.
  package let noSideEffects: Bool
  /// Deadline when the caller names none; 0: the runtime's default.
  package let defaultTimeoutMilliseconds: Int
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
    defaultTimeoutMilliseconds: Int,
    requestType: String,
    responseType: String
  ) {
    self.service = service
    self.method = method
    self.kind = kind
    self.allowedCallers = allowedCallers
    self.noSideEffects = noSideEffects
    self.defaultTimeoutMilliseconds = defaultTimeoutMilliseconds
    self.requestType = requestType
    self.responseType = responseType
    path = "/\(service)/\(method)"
  }
}
