internal import EventLoop

/// What a stream tells its owner.
///
/// Calls come from inside `HTTP2Session.receive` and `fill`: an owner records what happened and acts
/// when they have returned; it must not call `receive` or `fill` itself.
package protocol HTTP2StreamHandler: AnyObject {
  /// A block of headers or, after data or a first final block, trailers.
  func stream(_ stream: HTTP2Stream, didReceiveHeaders block: HeaderBlock)
  /// The block was over the limits: its fields were dropped.
  func streamDidReceiveOversizedHeaders(_ stream: HTTP2Stream)
  /// A piece of the body, valid during the call. Bytes count against the peer's window until
  /// `HTTP2Session.consume`.
  func stream(_ stream: HTTP2Stream, didReceiveData bytes: UnsafeRawBufferPointer)
  /// The peer has sent everything.
  func streamDidReceiveEnd(_ stream: HTTP2Stream)
  /// Queued bytes fell below the high-water mark.
  func streamDidDrain(_ stream: HTTP2Stream)
  /// The stream is over; nothing comes after this.
  func stream(_ stream: HTTP2Stream, didClose code: HTTP2ErrorCode)
}

/// One stream of a session.
///
/// Used where its session is used.
package final class HTTP2Stream {
  /// Stream identifier; odd for those that the client opened.
  package internal(set) var id: Int32
  /// Who is told what happens.
  package var handler: (any HTTP2StreamHandler)?
  /// Whether nothing can be sent or received any more.
  package internal(set) var isClosed = false

  /// Our answer is complete without the rest of the request, which is then cut off with NO_ERROR
  /// (RFC 9113 §8.1).
  package var resetsAfterEnd = false

  /// More bytes are queued than the limits like: the producer waits for `streamDidDrain`.
  package internal(set) var isAboveHighWater = false

  /// Place in the session's list.
  var slot = 0
  var body = OutboundBody()
  var isDeferred = false
  /// Bytes of the body that the connection has taken.
  var sentBytes = 0
  private var writeWatch = WriteWatch()

  init(id: Int32) { self.id = id }

  /// Bytes that were queued and not yet taken by the connection.
  package var pendingBytes: Int { body.pendingBytes }

  func isStalled(at now: MonotonicInstant, _ limits: HTTP2TimeLimits) -> Bool {
    writeWatch.isStalled(at: now, sent: sentBytes, pending: body.pendingBytes, limits)
  }
}
