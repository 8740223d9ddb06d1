/// The address of one end of a stream socket.
package enum SocketAddress: Sendable, Hashable {
  /// Four bytes in network order.
  case v4(bytes: [UInt8], port: UInt16)
  /// Sixteen bytes in network order.
  case v6(bytes: [UInt8], port: UInt16)
  /// Path of a Unix domain socket, at most 107 bytes.
  case unix(path: String)

  /// TCP port; 0 for a Unix socket.
  package var port: UInt16 {
    switch self {
    case .v4(_, let port), .v6(_, let port): port
    case .unix: 0
    }
  }

  /// The same host with another port; a Unix address stays as it is.
  package func with(port: UInt16) -> SocketAddress {
    switch self {
    case .v4(let bytes, _): .v4(bytes: bytes, port: port)
    case .v6(let bytes, _): .v6(bytes: bytes, port: port)
    case .unix: self
    }
  }

  /// Host as text without port: dotted quad, or eight colon-separated groups without `::`.
  package var host: String {
    switch self {
    case .v4(let bytes, _): return bytes.map(String.init).joined(separator: ".")
    case .v6(let bytes, _):
      let groups = stride(from: 0, to: 16, by: 2).map { index in
        String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
      }
      return groups.joined(separator: ":")
    case .unix(let path): return path
    }
  }
}

extension SocketAddress: CustomStringConvertible {
  package var description: String {
    switch self {
    case .v4(_, let port): "\(host):\(port)"
    case .v6(_, let port): "[\(host)]:\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }
}
