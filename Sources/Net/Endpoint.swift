package import EventLoop

/// Where to listen or to connect, as written in a configuration: `host:port`, `[v6]:port` or
/// `unix:/path`.
package enum Endpoint: Sendable, Hashable, CustomStringConvertible {
  case host(String, port: UInt16)
  case unix(path: String)

  /// Longest path that fits the kernel's structure.
  private static let maxPathBytes = 107

  /// Reads the written form.
  ///
  /// - Throws: ``NetError/badAddress(_:)``.
  package init(_ text: String) throws(NetError) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard path.hasPrefix("/"), path.utf8.count <= Self.maxPathBytes else {
        throw .badAddress(text)
      }
      self = .unix(path: path)
      return
    }
    guard let colon = text.lastIndex(of: ":"),
      let port = UInt16(text[text.index(after: colon)...])
    else { throw .badAddress(text) }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !host.isEmpty, !host.utf8.contains(UInt8(ascii: "/")) else { throw .badAddress(text) }
    self = .host(host, port: port)
  }

  package var description: String {
    switch self {
    case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }

  /// The addresses behind the endpoint, at least one.
  package func resolve(on loop: EventLoop) async throws(EventLoopError) -> [SocketAddress] {
    switch self {
    case .host(let host, let port): try await loop.resolve(host, port: port)
    case .unix(let path): [.unix(path: path)]
    }
  }
}
