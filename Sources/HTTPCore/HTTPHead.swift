/// The head of a request, the same for HTTP/1.1 and HTTP/2.
package struct HTTPRequestHead: Sendable, Equatable {
  /// What is asked for.
  package var method: HTTPMethod
  /// Path and query as they stood on the wire, starting with `/` (or `*` alone for OPTIONS).
  ///
  /// Only visible ASCII without `#`; escapes are not decoded.
  package var target: [UInt8]
  /// The host and optional port asked for, checked against the grammar of RFC 3986.
  package var authority: String
  /// The fields; those that frame the message (Content-Length, …) are still in it.
  package var headers: HTTPHeaders

  /// Makes a head of its parts.
  package init(method: HTTPMethod, target: [UInt8], authority: String, headers: HTTPHeaders) {
    self.method = method
    self.target = target
    self.authority = authority
    self.headers = headers
  }

  /// The target's bytes before `?`, still encoded.
  package var path: ArraySlice<UInt8> {
    target[..<(target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex)]
  }

  /// The target's bytes after the first `?`, still encoded; nil without one.
  package var query: ArraySlice<UInt8>? {
    target.firstIndex(of: UInt8(ascii: "?")).map { target[($0 + 1)...] }
  }
}

/// The head of a response.
package struct HTTPResponseHead: Sendable, Equatable {
  /// The result's code.
  package var status: HTTPStatus
  /// The fields, without those that frame the message: the writer adds these.
  package var headers: HTTPHeaders

  /// Makes a head of its parts.
  package init(status: HTTPStatus, headers: HTTPHeaders = HTTPHeaders()) {
    self.status = status
    self.headers = headers
  }
}
