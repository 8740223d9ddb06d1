/// Where a request may go.
package struct HTTPClientPolicy: Sendable, Hashable {
  /// Nil lets any address pass; otherwise public ones and these.
  let exceptions: Set<HTTPEndpoint>?
  /// Nil lets any port pass.
  let ports: Set<UInt16>?
  /// True refuses a redirect from https to http.
  let keepsTLS: Bool

  /// For addresses that operators configure: anything goes.
  package static let trusted = HTTPClientPolicy(exceptions: nil, ports: nil, keepsTLS: false)

  /// For addresses that users give: public hosts on the web's ports alone.
  ///
  /// The address is checked after names are resolved, when the socket is opened, and again before
  /// each request on a connection that is used again.
  package static let publicOnly = HTTPClientPolicy(
    exceptions: [],
    ports: [80, 443, 8080, 8443],
    keepsTLS: true
  )

  /// Like ``publicOnly``, with private addresses that may be reached all the same.
  package static func publicOnly(except endpoints: Set<HTTPEndpoint>) -> HTTPClientPolicy {
    HTTPClientPolicy(
      exceptions: endpoints,
      ports: publicOnly.ports?.union(endpoints.map(\.port)),
      keepsTLS: true
    )
  }

  /// True if a connection to this address may be used.
  func permits(_ address: [UInt8], port: UInt16) -> Bool {
    guard let exceptions else { return true }
    guard permits(port: port) else { return false }
    return PublicAddress.isPublic(address)
      || exceptions.contains(HTTPEndpoint(address: address, port: port))
  }

  /// True if this port may be asked for.
  func permits(port: UInt16) -> Bool {
    ports?.contains(port) ?? true
  }
}

/// An address and port.
package struct HTTPEndpoint: Sendable, Hashable {
  /// Four or sixteen bytes in network order.
  package let address: [UInt8]
  /// The port.
  package let port: UInt16

  /// Names an endpoint.
  package init(address: [UInt8], port: UInt16) {
    self.address = address
    self.port = port
  }
}
