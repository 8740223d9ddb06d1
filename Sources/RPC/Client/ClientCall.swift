internal import EventLoop
internal import HTTP2

/// How far a request came that has failed.
enum CallProgress: Sendable {
  /// It never left us.
  case unsent
  /// The peer's runtime refused it: REFUSED_STREAM, or above the last stream of a GOAWAY.
  case refused
  /// A handler may have seen it.
  case sent
}

/// One call on a client's connection: what has come back so far.
///
/// Continuations are resumed from inside the session: that only queues their tasks.
// @unchecked: touched by its connection alone, on the connection's loop; streams hold it as a ticket.
final class ClientCall: HTTP2StreamHandler, @unchecked Sendable {
  let deadline: MonotonicInstant
  /// How we compress what we send.
  let compression: Compression?
  /// Kept after its end: the bytes that came on it are still to be given back.
  var stream: HTTP2Stream?
  private var deframer: MessageDeframer
  private let maxBuffered: Int
  private let maxMessageBytes: Int

  private(set) var headers: HeaderBlock?
  private(set) var trailers: HeaderBlock?
  private var httpStatus = 0
  private var isTrailersOnly = false
  /// Whether the body is made of messages.
  private var speaksGRPC = false
  private var messages: [ReceivedMessage] = []
  /// Whether the message that was taken last came compressed.
  private(set) var wasCompressed = false
  private(set) var unconsumed = 0
  private(set) var outcome: Result<Void, ServiceError>?
  /// How far the request came.
  private(set) var progress = CallProgress.sent

  var deadlineTimer: LoopTimer?
  /// Waits for the next message or the end.
  private var reader: CheckedContinuation<Void, Never>?
  /// Waits for room to send.
  private var writer: CheckedContinuation<Void, Never>?

  init(
    deadline: MonotonicInstant,
    compression: Compression?,
    maxMessageBytes: Int,
    maxBuffered: Int
  ) {
    self.deadline = deadline
    self.compression = compression
    self.maxMessageBytes = maxMessageBytes
    self.maxBuffered = maxBuffered
    deframer = MessageDeframer(maxMessageBytes: maxMessageBytes)
  }

  var isEnded: Bool { outcome != nil }
  /// Whether the reply has begun, otherwise than with its end: then nothing may be sent again.
  var hasResponse: Bool { headers != nil && !isTrailersOnly }
  /// Whether received bytes may be given back to the peer's window.
  var hasRoom: Bool { messages.count < maxBuffered }

  /// Number of messages that nobody has taken yet.
  var waitingMessages: Int { messages.count }

  /// The next message, inflated only now: what waits stays as small as it came.
  ///
  /// - Throws: ``ServiceError`` when the reply's encoding does not explain its bytes.
  func takeMessage() throws(ServiceError) -> [UInt8]? {
    guard !messages.isEmpty else { return nil }
    let received = messages.removeFirst()
    wasCompressed = received.isCompressed
    guard received.isCompressed else { return received.bytes }
    return try received.plain(replyCompression(), limit: maxMessageBytes)
  }

  /// An encoding that we did not accept is the server's fault.
  private func replyCompression() throws(ServiceError) -> Compression? {
    do {
      return try headers?.compression
    } catch {
      throw .runtime(.internalError, error.message)
    }
  }

  func takeUnconsumed() -> Int {
    defer { unconsumed = 0 }
    return unconsumed
  }

  /// Resumes `done` at the next event, or at once when `condition` holds already: a task that does not
  /// prefer the connection's loop is suspended between its own check and this one.
  func wait(_ done: CheckedContinuation<Void, Never>, unless condition: (ClientCall) -> Bool) {
    if isEnded || condition(self) { done.resume() } else { reader = done }
  }

  /// Resumes `done` when the stream takes more bytes.
  func waitForRoom(_ done: CheckedContinuation<Void, Never>) {
    if isEnded || stream?.isAboveHighWater != true { done.resume() } else { writer = done }
  }

  /// Ends the call; the first end counts.
  func end(_ result: Result<Void, ServiceError>) {
    guard outcome == nil else { return }
    outcome = result
    deadlineTimer?.cancel()
    wake()
    writer?.resume()
    writer = nil
  }

  /// Ends the call with its connection; `wasSent`: the peer may know of the call.
  func connectionDidClose(_ reason: String, wasSent: Bool) {
    guard outcome == nil else { return }
    if !wasSent { progress = .unsent }
    end(.failure(.runtime(.unavailable, reason)))
  }

  private func wake() {
    reader?.resume()
    reader = nil
  }

  // MARK: HTTP2StreamHandler

  func stream(_ stream: HTTP2Stream, didReceiveHeaders block: HeaderBlock) {
    guard headers == nil else {
      trailers = block
      return
    }
    httpStatus = block.value(of: ":status").flatMap { Int($0) } ?? 0
    // 1xx blocks are informational (RFC 9110 §15.2).
    guard !(100..<200).contains(httpStatus) else { return }
    headers = block
    speaksGRPC = httpStatus == 200 && block.isGRPC
    wake()
  }

  func streamDidReceiveOversizedHeaders(_ stream: HTTP2Stream) {
    end(.failure(.runtime(.resourceExhausted, "the peer's metadata is over the limit")))
  }

  func stream(_ stream: HTTP2Stream, didReceiveData bytes: UnsafeRawBufferPointer) {
    unconsumed += bytes.count
    // The body of an error page is a text for people: its status says all.
    guard outcome == nil, speaksGRPC else { return }
    do {
      try deframer.receive(bytes) { messages.append($0) }
    } catch {
      end(.failure(error.error))
    }
    wake()
  }

  func streamDidReceiveEnd(_ stream: HTTP2Stream) {
    guard outcome == nil else { return }
    isTrailersOnly = trailers == nil
    if let error = StatusDetails.error(in: trailers ?? headers ?? [:], httpStatus: httpStatus) {
      end(.failure(error))
    } else if !deframer.isAtBoundary {
      end(.failure(.runtime(.internalError, "the reply ended inside a message")))
    } else {
      end(.success(()))
    }
  }

  func streamDidDrain(_ stream: HTTP2Stream) {
    writer?.resume()
    writer = nil
  }

  /// The mapping of RST_STREAM codes is that of grpc doc/PROTOCOL-HTTP2.md.
  func stream(_ stream: HTTP2Stream, didClose code: HTTP2ErrorCode) {
    guard outcome == nil else { return }
    switch code {
    case .refusedStream:
      progress = .refused
      end(.failure(.runtime(.unavailable, "the peer refused the stream")))
    case .cancel: end(.failure(.runtime(.cancelled, "the peer cancelled the call")))
    case .enhanceYourCalm:
      end(.failure(.runtime(.resourceExhausted, "the peer asks for fewer calls")))
    case .inadequateSecurity:
      end(.failure(.runtime(.permissionDenied, "the peer asks for better TLS")))
    default: end(.failure(.runtime(.internalError, "stream reset: \(code)")))
    }
  }
}

extension HeaderBlock {
  /// Whether the content type says gRPC, in whatever format.
  fileprivate var isGRPC: Bool {
    withValue(of: "content-type") { $0.starts(with: "application/grpc".utf8) } ?? false
  }
}
