/// Why an object store did not do what it was asked.
package struct ObjectStoreError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kinds that callers tell apart.
  package enum Kind: String, Sendable {
    /// The key breaks ``ObjectKeyRule``.
    case invalidKey
    /// There is no such object.
    case notFound
    /// The object has more bytes than the limit.
    case tooLarge
    /// The store cannot be reached or has no room; later it may work.
    case unavailable
    /// The store refuses: credentials, configuration, or a request that makes no sense.
    case refused
    /// The task was cancelled.
    case cancelled
  }

  /// What happened.
  package let kind: Kind
  /// What happened in detail, for logs only.
  package let detail: String

  package init(_ kind: Kind, _ detail: String) {
    self.kind = kind
    self.detail = detail
  }

  /// Kind and detail, for logs.
  package var description: String {
    "\(kind.rawValue): \(detail)"
  }
}
