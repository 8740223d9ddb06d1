internal import HTTPCore

/// A whole answer.
struct EdgeResponse: Sendable {
  var head: HTTPResponseHead
  var body: [UInt8]
  /// The HTTP/1 connection cannot be used again.
  var closesConnection = false

  init(_ status: HTTPStatus, _ headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
    head = HTTPResponseHead(status: status, headers: headers)
    self.body = body
  }
}

/// What the edge wants of a request whose head has arrived.
enum Admission: Sendable {
  /// The answer is known: a refusal, or a page.
  case answer(EdgeResponse)
  /// The body is collected, at most so many bytes, then the request is served.
  case collect(AdmittedRequest, limit: Int)
  /// The request is served at once and reads its body itself.
  case stream(AdmittedRequest, limit: Int)
}
