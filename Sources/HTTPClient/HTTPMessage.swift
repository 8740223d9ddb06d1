package import HTTPCore

/// A request to another server.
package struct HTTPRequest: Sendable {
  /// What is asked for.
  package var method: HTTPMethod
  /// Absolute http or https address in ASCII, without user information; sent as it stands.
  package var url: String
  /// Fields to add; Host, Content-Length and Transfer-Encoding are the client's own.
  package var headers: HTTPHeaders
  /// The body; nil for none.
  package var body: [UInt8]?

  /// Describes a request.
  package init(
    _ method: HTTPMethod,
    _ url: String,
    headers: HTTPHeaders = HTTPHeaders(),
    body: [UInt8]? = nil
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
  }
}

/// A complete response.
package struct HTTPResponse: Sendable {
  /// The result's code.
  package let status: HTTPStatus
  /// The fields of the final response.
  package let headers: HTTPHeaders
  /// The body as sent: content codings are not undone.
  package let body: [UInt8]
  /// The address that answered, after redirects.
  package let url: String
}

/// What one execution may cost.
package struct HTTPClientLimits: Sendable, Hashable {
  /// Time for everything: names, connections, redirects, bodies.
  package var deadline: Duration
  /// Time for one connection, TLS included.
  package var connect: Duration
  /// Bytes of a response's body.
  package var responseBytes: Int
  /// Bytes of all fields of a response.
  package var headBytes: Int
  /// Redirects that are followed; each is checked like the first address.
  package var redirects: Int

  /// Names the limits.
  package init(
    deadline: Duration = .seconds(10),
    connect: Duration = .seconds(5),
    responseBytes: Int = 20 * 1024 * 1024,
    headBytes: Int = 64 * 1024,
    redirects: Int = 3
  ) {
    self.deadline = deadline
    self.connect = connect
    self.responseBytes = responseBytes
    self.headBytes = headBytes
    self.redirects = redirects
  }
}
