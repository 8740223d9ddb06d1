internal import EventLoop
internal import HTTP2
internal import HTTPCore

/// One request on an HTTP/2 connection: what has come in, and how far its answer is.
///
///     waiting for the head → taking the body → answer under way → finished
///
/// HTTP/2 events are only recorded here; the connection acts on them after the session returned.
// @unchecked: touched by its connection alone, on the connection's loop; handlers hold it as a ticket.
final class HTTP2Exchange: HTTP2StreamHandler, @unchecked Sendable {
  /// What happens to the body.
  enum Mode {
    case waiting
    case collect(AdmittedRequest, limit: Int)
    case stream(limit: Int)
    /// It was answered already; the rest is skipped.
    case discard
  }

  let stream: HTTP2Stream
  private let touched: TouchedExchanges

  var mode = Mode.waiting
  var head: HeaderBlock?
  var isHeadOversized = false
  var isHead = false
  /// Bytes that came and were not looked at yet.
  var incoming: [UInt8] = []
  /// `content-length`, if the client gave one.
  var declaredLength: Int?
  /// Bytes of the body that are taken at most once it is of no use.
  var skipLimit = Int.max
  /// Bytes of the body in all.
  var received = 0
  /// Bytes that still count against the client's window.
  var unconsumed = 0
  var body: [UInt8] = []
  var queue = BodyQueue()
  var pace = BodyPace()
  private var bodyWatch = BodyWatch()
  var isRequestComplete = false
  /// The handler has been given the request.
  var isServed = false
  var isAnswerBegun = false
  var isAnswerComplete = false
  var closeCode: HTTP2ErrorCode?
  var task: Task<Void, Never>?
  /// Producers that wait until the client has taken what is queued.
  var producers: [CheckedContinuation<Void, Never>] = []
  var deadline: MonotonicInstant?
  fileprivate var isTouched = false

  init(stream: HTTP2Stream, touched: TouchedExchanges, deadline: MonotonicInstant) {
    self.stream = stream
    self.touched = touched
    self.deadline = deadline
  }

  /// Whether the client has stopped in the middle of its body.
  func isBodyLate(_ now: MonotonicInstant, _ limits: HTTP2TimeLimits) -> Bool {
    bodyWatch.isLate(at: now, received: received, isOwed: !isRequestComplete, limits)
  }

  func stream(_ stream: HTTP2Stream, didReceiveHeaders block: HeaderBlock) {
    // A second block is trailers, which no request of ours has a use for.
    guard head == nil else { return }
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
    if case .discard = mode {} else { incoming.append(contentsOf: bytes) }
    touched.add(self)
  }

  func streamDidReceiveEnd(_ stream: HTTP2Stream) {
    isRequestComplete = true
    touched.add(self)
  }

  func streamDidDrain(_ stream: HTTP2Stream) {
    resumeProducers()
  }

  func resumeProducers() {
    let waiting = producers
    producers = []
    for producer in waiting { producer.resume() }
  }

  func stream(_ stream: HTTP2Stream, didClose code: HTTP2ErrorCode) {
    closeCode = code
    touched.add(self)
  }
}

/// Exchanges of one connection that something happened to since the connection last looked.
final class TouchedExchanges {
  private var exchanges: [HTTP2Exchange] = []

  var isEmpty: Bool { exchanges.isEmpty }

  func add(_ exchange: HTTP2Exchange) {
    guard !exchange.isTouched else { return }
    exchange.isTouched = true
    exchanges.append(exchange)
  }

  func take() -> [HTTP2Exchange] {
    defer { exchanges.removeAll(keepingCapacity: true) }
    for exchange in exchanges { exchange.isTouched = false }
    return exchanges
  }
}
