/// A request method that OneShot serves.
///
/// Everything else (CONNECT, TRACE, WebDAV and unknown tokens) is answered by 501 before routing.
package enum HTTPMethod: String, Sendable, Hashable, CaseIterable {
  case get = "GET"
  case head = "HEAD"
  case post = "POST"
  case put = "PUT"
  case patch = "PATCH"
  case delete = "DELETE"
  case options = "OPTIONS"

  /// Finds the method of a token as it stood on the wire; methods are case-sensitive (RFC 9110 §9.1).
  package init?(bytes: UnsafeRawBufferPointer) {
    switch bytes.count {
    case 3 where bytes.elementsEqual("GET".utf8): self = .get
    case 3 where bytes.elementsEqual("PUT".utf8): self = .put
    case 4 where bytes.elementsEqual("POST".utf8): self = .post
    case 4 where bytes.elementsEqual("HEAD".utf8): self = .head
    case 5 where bytes.elementsEqual("PATCH".utf8): self = .patch
    case 6 where bytes.elementsEqual("DELETE".utf8): self = .delete
    case 7 where bytes.elementsEqual("OPTIONS".utf8): self = .options
    default: return nil
    }
  }

  /// True if repeating the request changes nothing more (RFC 9110 §9.2.2).
  package var isIdempotent: Bool {
    switch self {
    case .get, .head, .put, .delete, .options: true
    case .post, .patch: false
    }
  }
}
