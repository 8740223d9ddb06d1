/// How a request's body is delimited.
package enum HTTP1BodyFraming: Sendable, Hashable {
  /// No body.
  case none
  /// Exactly so many bytes, more than 0.
  case length(Int)
  /// Chunked, of unknown length.
  case chunked
}

/// What the answer to a request must know about it besides its head.
package struct HTTP1Exchange: Sendable, Hashable {
  /// False for HTTP/1.0, whose clients know no chunks.
  package var isHTTP11: Bool
  /// True if the client wants to use the connection again.
  package var keepAlive: Bool
  /// True if the client waits for `100 Continue` before it sends the body.
  package var expectsContinue: Bool
  /// True for HEAD, whose answer has no body.
  package var isHead: Bool
  /// How the body is delimited.
  package var body: HTTP1BodyFraming

  /// Describes a request; the defaults suit an answer to bytes that could not be parsed.
  package init(
    isHTTP11: Bool = true,
    keepAlive: Bool = false,
    expectsContinue: Bool = false,
    isHead: Bool = false,
    body: HTTP1BodyFraming = .none
  ) {
    self.isHTTP11 = isHTTP11
    self.keepAlive = keepAlive
    self.expectsContinue = expectsContinue
    self.isHead = isHead
    self.body = body
  }
}
