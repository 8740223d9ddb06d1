internal import EventLoop
internal import HTTP2

/// One call on a server's connection: what came in, and how far its answer is.
///
///     receiving → running → finished
///
/// HTTP/2 events are only recorded here; the connection acts on them after the session returned.
// @unchecked: touched by its connection alone, on the connection's loop; streams hold it as a ticket.
final class ServerCall: HTTP2StreamHandler, @unchecked Sendable {
  enum State { case receiving, running, finished }

  let stream: HTTP2Stream
  let touched: TouchedCalls
  private var deframer: MessageDeframer

  var state = State.receiving
  /// Until it is admitted or refused.
  var head: HeaderBlock?
  var isHeadOversized = false
  /// Its connection holds too many bytes that the peer does not take.
  var isParked = false
  var messages = MessageQueue()
  /// How the client says that it compresses.
  var requestCompression: Compression?
  /// What the head of our answer said.
  var responseCompression: Compression?
  var unconsumed = 0
  var isEnded = false
  var closeCode: HTTP2ErrorCode?
  /// The call was refused, and what its client still sends is dropped until then.
  var skipsUntil: MonotonicInstant?
  var failure: ServiceError?

  var method: Method?
  var context: ServerContext?
  var started = MonotonicInstant.now
  var task: Task<Void, Never>?
  var deadlineTimer: LoopTimer?
  var didSendHeaders = false
  /// Bytes of the body until now, and how fast they come.
  private(set) var received = 0
  private var bodyWatch = BodyWatch()
  private var reader: Waiter?
  private var writer: Waiter?
  fileprivate var isTouched = false
  /// The call touched after this one.
  fileprivate var nextTouched: ServerCall?

  init(stream: HTTP2Stream, touched: TouchedCalls, limits: RPCLimits) {
    self.stream = stream
    self.touched = touched
    deframer = MessageDeframer(maxMessageBytes: limits.maxReceiveMessageBytes)
  }

  var isUnary: Bool { method?.descriptor.kind == .unary }

  // MARK: Waiting. Conditions are checked here, inside the continuation: a task that does not prefer
  // the connection's loop is suspended between its own check and this one.

  func waitForMessage(_ done: CheckedContinuation<Void, Never>) {
    reader = Waiter(done)
    wakeReader()
  }

  func waitForRoom(_ done: CheckedContinuation<Void, Never>) {
    writer = Waiter(done)
    if state == .finished || !stream.isAboveHighWater { wakeWriter() }
  }

  /// Wakes the reader if there is news for it.
  func wakeReader() {
    guard reader != nil, !messages.isEmpty || isEnded || state == .finished else { return }
    reader.take()?.resume()
  }

  /// Wakes whoever waits: the call has ended.
  func wakeAll() {
    wakeReader()
    wakeWriter()
  }

  private func wakeWriter() {
    writer.take()?.resume()
  }

  /// What the client has failed to do in time: it owes us the rest of a message, and nobody of us
  /// holds it back.
  func lateness(at now: MonotonicInstant, _ limits: HTTP2TimeLimits) -> ServiceError? {
    if state == .receiving, let deadline = context?.deadline, deadline <= now {
      return .runtime(.deadlineExceeded, "the deadline has passed before the request was complete")
    }
    let isOwed =
      state != .finished && !isEnded && unconsumed == 0
      && (state == .receiving || !deframer.isAtBoundary)
    guard bodyWatch.isLate(at: now, received: received, isOwed: isOwed, limits) else { return nil }
    return .runtime(.deadlineExceeded, "the request came too slowly")
  }

  // MARK: HTTP2StreamHandler

  func stream(_ stream: HTTP2Stream, didReceiveHeaders block: HeaderBlock) {
    // A second block is the client's trailers, which gRPC does not use.
    guard state == .receiving, context == nil, head == nil else { return }
    head = block
    touched.add(self)
  }

  func streamDidReceiveOversizedHeaders(_ stream: HTTP2Stream) {
    isHeadOversized = true
    touched.add(self)
  }

  func stream(_ stream: HTTP2Stream, didReceiveData bytes: UnsafeRawBufferPointer) {
    unconsumed += bytes.count
    received += bytes.count
    touched.add(self)
    guard failure == nil, state != .finished else { return }
    do {
      try deframer.receive(bytes) { messages.append($0) }
    } catch {
      failure = error.error
    }
  }

  func streamDidReceiveEnd(_ stream: HTTP2Stream) {
    isEnded = true
    if failure == nil, !deframer.isAtBoundary {
      failure = .runtime(.internalError, "the stream ended inside a message")
    }
    touched.add(self)
  }

  func streamDidDrain(_ stream: HTTP2Stream) {
    wakeWriter()
  }

  func stream(_ stream: HTTP2Stream, didClose code: HTTP2ErrorCode) {
    closeCode = code
    touched.add(self)
  }
}

/// A task that waits for its client.
///
/// Apart from the call, since most calls have none: a continuation is not frozen, so that a class which
/// stores one finds its fields through tables at run time.
private final class Waiter {
  private let continuation: CheckedContinuation<Void, Never>

  init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = continuation }

  func resume() { continuation.resume() }
}

/// Messages that wait for their handler: of most calls one, which needs no list.
struct MessageQueue {
  private var first: ReceivedMessage?
  private var later: [ReceivedMessage] = []

  var isEmpty: Bool { first == nil }
  var count: Int { first == nil ? 0 : 1 + later.count }

  mutating func append(_ message: ReceivedMessage) {
    if first == nil { first = message } else { later.append(message) }
  }

  mutating func popFirst() -> ReceivedMessage? {
    let message = first.take()
    if !later.isEmpty { first = later.removeFirst() }
    return message
  }
}

/// Calls of one connection that something happened to since the connection last looked, in order.
///
/// Each call knows the next, so that the list needs no memory of its own.
final class TouchedCalls {
  private var first: ServerCall?
  /// Unretained: the list holds it.
  private var last: Unmanaged<ServerCall>?

  func add(_ call: ServerCall) {
    guard !call.isTouched else { return }
    call.isTouched = true
    if let last {
      last._withUnsafeGuaranteedRef { $0.nextTouched = call }
    } else {
      first = call
    }
    last = .passUnretained(call)
  }

  var isEmpty: Bool { first == nil }

  func popFirst() -> ServerCall? {
    guard let call = first.take() else { return nil }
    first = call.nextTouched.take()
    if first == nil { last = nil }
    call.isTouched = false
    return call
  }
}
