internal import HTTP2
internal import Net

/// What all connections of a channel share.
struct ChannelSettings: Sendable {
  let tls: TLSContext?
  /// Name required in the server's certificate, also sent as `:authority`.
  let serverName: String
  let limits: RPCLimits
  let transportLimits: TransportLimits
  let backoff: ExponentialBackoff
  /// Time for one attempt to connect, up to the peer's SETTINGS.
  let connectTimeout: Duration
  /// Nil: silent peers are not asked for a sign of life.
  let keepalive: KeepaliveSettings?
  /// The service whose health decides whether a connection is used; nil: none.
  let healthService: String?
  /// 0…1, for every jitter.
  let random: @Sendable () -> Double

  private static let userAgent = "grpc-swift-oneshot/1.0"

  /// The head of a request; the timeout comes right after the pseudo fields
  /// (grpc doc/PROTOCOL-HTTP2.md).
  func requestHead(
    _ method: MethodDescriptor,
    _ options: CallOptions,
    timeout: Duration,
    previousAttempts: Int
  ) -> HeaderBlock {
    var head = HeaderBlock()
    head.reserve(fields: 12 + options.metadata.count, bytes: 512)
    head.append(":method", "POST")
    head.append(":scheme", tls == nil ? "http" : "https")
    head.append(":path", method.path)
    head.append(":authority", serverName)
    head.append("grpc-timeout", TimeoutHeader.format(timeout))
    head.append("te", "trailers")
    head.append("content-type", "application/grpc")
    if let compression = options.compression {
      head.append("grpc-encoding", compression.rawValue)
    }
    head.append("grpc-accept-encoding", Compression.accepted)
    head.append("user-agent", Self.userAgent)
    if previousAttempts > 0 {
      head.append("grpc-previous-rpc-attempts", String(previousAttempts))
    }
    for (name, value) in options.metadata { head.append(name, value) }
    return head
  }
}
