internal import EventLoop

/// What the edge knows of a connection before the first request.
struct ConnectionInfo: Sendable {
  let peer: SocketAddress
  let isSecure: Bool
}
