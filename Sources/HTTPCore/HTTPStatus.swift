/// A response status code, 100…599.
package struct HTTPStatus: RawRepresentable, Sendable, Hashable, ExpressibleByIntegerLiteral {
  /// The number on the wire.
  package let rawValue: Int

  /// Wraps a code.
  package init(rawValue: Int) {
    self.rawValue = rawValue
  }

  /// Wraps a literal code.
  package init(integerLiteral value: Int) {
    rawValue = value
  }

  /// True for codes whose responses never carry a body (RFC 9110 §6.4.1).
  package var forbidsBody: Bool {
    rawValue < 200 || rawValue == 204 || rawValue == 304
  }

  /// The usual phrase; empty for a code without one.
  package var reasonPhrase: String {
    Self.phrases[rawValue] ?? ""
  }

  private static let phrases: [Int: String] = [
    100: "Continue", 101: "Switching Protocols",
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content",
    301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
    307: "Temporary Redirect", 308: "Permanent Redirect",
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout",
    409: "Conflict", 410: "Gone", 411: "Length Required", 412: "Precondition Failed",
    413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type",
    416: "Range Not Satisfiable", 417: "Expectation Failed", 421: "Misdirected Request",
    422: "Unprocessable Content", 426: "Upgrade Required", 428: "Precondition Required",
    429: "Too Many Requests", 431: "Request Header Fields Too Large",
    499: "Client Closed Request",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
  ]
}
