/// Why a request has no response.
package struct HTTPClientError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kinds that callers tell apart.
  package enum Kind: String, Sendable {
    /// The address is not absolute http(s) without user information, or its port is not allowed.
    case invalidURL
    /// The request's own fields are malformed.
    case invalidRequest
    /// No name, no connection, no TLS, a refused address, or a broken response.
    case unreachable
    /// The deadline passed.
    case timedOut
    /// The response is larger than the limit.
    case tooLarge
    /// More redirects than the limit, or one that may not be followed.
    case tooManyRedirects
    /// The task was cancelled or the client shut down.
    case cancelled
  }

  /// What happened.
  package let kind: Kind
  /// What happened in detail, for logs only: it may tell outsiders about our network.
  package let detail: String

  /// The one text that users of addresses see, whatever happened.
  ///
  /// Different texts would let anybody scan networks through us.
  package static let publicText = "The address could not be fetched."

  init(_ kind: Kind, _ detail: String) {
    self.kind = kind
    self.detail = detail
  }

  /// Kind and detail, for logs.
  package var description: String {
    "\(kind.rawValue): \(detail)"
  }

  /// True if the same request may succeed later.
  package var isRetryable: Bool {
    kind == .unreachable || kind == .timedOut
  }
}
