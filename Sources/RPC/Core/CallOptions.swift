package import EventLoop

/// What a caller wants of one call.
package struct CallOptions: Sendable {
  /// When the call must have ended; nil: the method's default from now.
  package var deadline: MonotonicInstant?
  /// Metadata to send; names lower case, values printable ASCII, `-bin` values base64.
  package var metadata: [(name: String, value: String)]
  /// Wait for a connection until the deadline instead of failing while the peer is down.
  package var waitForReady: Bool
  /// How the messages that we send are compressed; replies are inflated in any case.
  package var compression: Compression?

  package init(
    deadline: MonotonicInstant? = nil,
    metadata: [(name: String, value: String)] = [],
    waitForReady: Bool = false,
    compression: Compression? = nil
  ) {
    self.deadline = deadline
    self.metadata = metadata
    self.waitForReady = waitForReady
    self.compression = compression
  }

  /// The deadline that is `timeout` from now.
  package static func timeout(_ timeout: Duration) -> CallOptions {
    CallOptions(deadline: .now + timeout)
  }

  /// The same options with one more metadata field.
  package func adding(_ name: String, _ value: String) -> CallOptions {
    var copy = self
    copy.metadata.append((name, value))
    return copy
  }

  /// The same options with the earlier of two deadlines.
  package func within(_ timeout: Duration) -> CallOptions {
    var copy = self
    let limit = MonotonicInstant.now + timeout
    copy.deadline = min(deadline ?? limit, limit)
    return copy
  }
}
