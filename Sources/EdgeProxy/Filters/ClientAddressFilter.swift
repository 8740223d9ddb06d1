internal import EventLoop
internal import HTTPCore

/// Finds out which client a request comes from.
///
/// The socket says it, unless the peer is a proxy of ours: then `X-Forwarded-For` is read from its
/// right end, past further proxies of ours. What stands left of that, anyone may have written.
struct ClientAddressFilter: Sendable {
  let trustedProxies: [IPBlock]

  /// Entries of `X-Forwarded-For` that are looked at.
  private static let maxEntries = 16

  /// The client's address; nil for a Unix socket without a proxy's word.
  func client(of peer: SocketAddress, _ headers: HTTPHeaders) -> IPAddress? {
    let socket = IPAddress(peer)
    guard !trustedProxies.isEmpty, socket.map(isTrusted) ?? true else { return socket }
    let entries = headers.values("x-forwarded-for").flatMap { $0.split(separator: ",") }
    var client = socket
    for entry in entries.suffix(Self.maxEntries).reversed() {
      guard let address = IPAddress(Self.withoutPort(entry.trimmingSpaces)) else { break }
      client = address
      guard isTrusted(address) else { break }
    }
    return client
  }

  private func isTrusted(_ address: IPAddress) -> Bool {
    trustedProxies.contains { $0.contains(address) }
  }

  /// `192.0.2.1:1234` and `[2001:db8::1]:1234` as some proxies write them.
  private static func withoutPort(_ text: Substring) -> Substring {
    if text.first == "[" { return text.dropFirst().prefix { $0 != "]" } }
    guard text.count(where: { $0 == ":" }) == 1 else { return text }
    return text.prefix { $0 != ":" }
  }
}
