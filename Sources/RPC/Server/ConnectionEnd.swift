package import EventLoop
internal import HTTP2
internal import Net

/// A connection that was ended because of its peer, or because we could not go on, for one log line
/// and one counter.
package struct ConnectionEnd: Sendable {
  /// A word of a fixed list, for counters: docs/rpc.md names them.
  package let kind: String
  /// What happened.
  package let reason: String
  /// Who it was.
  package let peer: SocketAddress
  /// Nothing was wrong: the connection was out of use.
  package var isIdle: Bool { kind == HTTP2Timeout.idle.rawValue }

  init(_ error: HTTP2Error, peer: SocketAddress) {
    kind = error.kind
    reason = "\(error)"
    self.peer = peer
  }

  /// Nil for an end that the peer has chosen.
  init?(_ error: NetError?, wasOpen: Bool, peer: SocketAddress) {
    switch error {
    case .timeout where wasOpen: kind = "write_stall"
    case .tooManyKeyUpdates: kind = "key_updates"
    case .tls where !wasOpen, .timeout: kind = "tls_handshake"
    default: return nil
    }
    reason = error.map { "\($0)" } ?? ""
    self.peer = peer
  }
}
