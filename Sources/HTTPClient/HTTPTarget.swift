internal import CCurl

/// An address as the client reads it, for rules that judge it long before anything is sent.
package struct HTTPTarget: Sendable, Hashable {
  /// True for https.
  package let isTLS: Bool
  /// Host in lower case: a name, four decimal bytes whatever their spelling was, or `[…]`.
  package let host: String
  /// Explicit or usual port.
  package let port: UInt16
  /// The host's bytes if it is no name: four or sixteen.
  package let address: [UInt8]?

  /// Reads an absolute http or https address without user information.
  ///
  /// - Throws: ``HTTPClientError`` `.invalidURL` for everything that the client would refuse, too.
  package init(_ text: String) throws(HTTPClientError) {
    let url = try FetchURL(text)
    isTLS = url.isTLS
    port = url.port
    var host = url.host.lowercased()
    // A final dot only says that the name is complete.
    if host.hasSuffix(".") { host.removeLast() }
    self.host = host
    let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = Int(ccurl_parse_address(bare, &bytes))
    address = count > 0 ? Array(bytes.prefix(count)) : nil
  }
}

extension HTTPClientPolicy {
  /// True if the port may be asked for.
  package func permitsPort(of target: HTTPTarget) -> Bool {
    permits(port: target.port)
  }

  /// True unless the host is an address that may not be reached; names are judged once resolved.
  package func permitsAddress(of target: HTTPTarget) -> Bool {
    guard let address = target.address else { return true }
    return permits(address, port: target.port)
  }
}
