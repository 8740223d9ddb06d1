import EventLoop
import HTTP2
import Net

@testable import RPC

/// What came back on one stream.
struct WireAnswer: Sendable {
  /// The first block; of a trailers-only answer the only one.
  var headers: HeaderBlock?
  var trailers: HeaderBlock?
  var body: [UInt8] = []
  /// END_STREAM came.
  var isEnded = false
  /// How the stream was closed.
  var code: HTTP2ErrorCode?

  /// `grpc-status`, wherever it stands.
  var status: StatusCode? {
    (trailers ?? headers)?.first("grpc-status").flatMap { Int($0) }.flatMap(StatusCode.init)
  }

  var message: String? { (trailers ?? headers)?.first("grpc-message") }
  /// The answer was one block that ended the stream.
  var isTrailersOnly: Bool { isEnded && trailers == nil && body.isEmpty }
}

/// A client that says what it likes: heads and bytes of its own making on a real HTTP/2 connection.
actor WireClient: TransportDelegate {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private var transport: Transport?
  private var session: HTTP2Session?
  private var waiters: [(() -> Bool, CheckedContinuation<Void, Never>)] = []
  private var frames = FrameReader()
  /// Every GOAWAY, also those behind a first one, which the library no longer looks at.
  var goAways: [GoAway] { frames.goAways }
  private(set) var pongs = 0
  private(set) var isClosed = false

  private init(loop: EventLoop) { self.loop = loop }

  static func connect(to address: SocketAddress, on loop: EventLoop) async throws -> WireClient {
    let client = WireClient(loop: loop)
    try await client.open(address)
    return client
  }

  private func open(_ address: SocketAddress) throws {
    transport = try Transport.connect(to: address, on: loop, delegate: self)
    let session = try HTTP2Session(role: .client)
    session.onPong = { [self] in assumeIsolated { $0.pongs += 1 } }
    self.session = session
  }

  /// The head of a call as it should be; tests replace what they want wrong, nil leaves a field out.
  static func head(
    _ method: MethodDescriptor,
    _ changes: KeyValuePairs<String, String?> = [:]
  ) -> HeaderBlock {
    var fields: [(String, String)] = [
      (":method", "POST"), (":scheme", "http"), (":path", method.path), (":authority", "test"),
      ("te", "trailers"), ("content-type", "application/grpc"),
    ]
    for name in Set(changes.map(\.key)) { fields.removeAll { $0.0 == name } }
    for (name, value) in changes where value != nil && name.hasPrefix(":") {
      fields.insert((name, value ?? ""), at: 0)
    }
    for (name, value) in changes where value != nil && !name.hasPrefix(":") {
      fields.append((name, value ?? ""))
    }
    var block = HeaderBlock()
    for (name, value) in fields { block.append(name, value) }
    return block
  }

  /// Sends a head and bytes, and END_STREAM unless told otherwise.
  func start(_ head: HeaderBlock, _ bytes: [UInt8] = [], end: Bool = true) throws -> WireStream {
    let stream = WireStream { [weak self] in self?.assumeIsolated { $0.wake() } }
    guard let session else { throw NetError.unreachable("closed") }
    stream.stream = try session.submitRequest(head, endStream: false, handler: stream)
    send(bytes, on: stream, end: end)
    return stream
  }

  func send(_ bytes: [UInt8], on stream: WireStream, end: Bool) {
    guard let session, let native = stream.stream else { return }
    if !bytes.isEmpty { session.send(native, bytes) }
    if end { session.finish(native) }
    transport?.setNeedsFlush()
  }

  /// Gives back the window of everything that has come until now.
  func consume(_ stream: WireStream) {
    guard let session, let native = stream.stream else { return }
    session.consume(native, stream.takeUnconsumed())
    transport?.setNeedsFlush()
  }

  func ping() {
    session?.ping()
    transport?.setNeedsFlush()
  }

  func reset(_ stream: WireStream) {
    if let native = stream.stream { session?.reset(native, .cancel) }
    transport?.setNeedsFlush()
  }

  /// Reads nothing for a while, as if the network had gone.
  func pause() { transport?.pauseReading() }
  func resume() { transport?.resumeReading() }

  func close() { transport?.close() }

  /// Sends a call and waits for the end of its stream.
  func call(_ head: HeaderBlock, _ bytes: [UInt8] = [], end: Bool = true) async throws -> WireAnswer
  {
    let stream = try start(head, bytes, end: end)
    return await answer(of: stream)
  }

  /// Waits until the stream is over, at least from the server's side.
  func answer(of stream: WireStream) async -> WireAnswer {
    await wait { stream.answer.isEnded || stream.answer.code != nil }
    return stream.answer
  }

  /// Takes what comes on the stream, opening its window again, until it is over.
  func read(_ stream: WireStream) async -> WireAnswer {
    while !stream.answer.isEnded, stream.answer.code == nil, !isClosed {
      let count = stream.answer.body.count
      consume(stream)
      await wait {
        stream.answer.body.count > count || stream.answer.isEnded || stream.answer.code != nil
      }
    }
    return stream.answer
  }

  /// Waits until the condition holds, or the connection is gone.
  func wait(_ condition: @escaping () -> Bool) async {
    await withCheckedContinuation { done in
      if condition() || isClosed { done.resume() } else { waiters.append((condition, done)) }
    }
  }

  func waitUntilClosed() async { await wait { false } }
  func waitForGoAways(_ count: Int) async {
    await wait { [self] in assumeIsolated { $0.goAways.count >= count } }
  }
  func waitForPongs(_ count: Int) async {
    await wait { [self] in assumeIsolated { $0.pongs >= count } }
  }

  /// PING frames of the server.
  var pings: Int { session?.pingsReceived ?? 0 }
  func waitForPings(_ count: Int) async {
    await wait { [self] in assumeIsolated { $0.pings >= count } }
  }

  private func wake() {
    let ready = waiters.filter { isClosed || $0.0() }
    waiters.removeAll { isClosed || $0.0() }
    for (_, done) in ready { done.resume() }
  }

  // MARK: Transport

  nonisolated func transportDidOpen(_ transport: Transport) { transport.setNeedsFlush() }

  nonisolated func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {
    nonisolated(unsafe) let bytes = bytes
    assumeIsolated { this in
      this.frames.take(bytes)
      try? this.session?.receive(bytes)
      this.wake()
    }
    transport.setNeedsFlush()
  }

  nonisolated func transportDidReceiveEOF(_ transport: Transport) { transport.close() }

  nonisolated func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {
    withUnsafeMutablePointer(to: &buffer) { buffer in
      nonisolated(unsafe) let buffer = buffer
      assumeIsolated { try? $0.session?.fill(&buffer.pointee) }
    }
  }

  nonisolated func transportDidClose(_ transport: Transport, error: NetError?) {
    assumeIsolated { this in
      this.session?.closeAllStreams(.cancel)
      this.session = nil
      this.transport = nil
      this.isClosed = true
      this.wake()
    }
  }
}

/// One stream of a ``WireClient``.
// @unchecked: touched on the client's loop only.
final class WireStream: HTTP2StreamHandler, @unchecked Sendable {
  fileprivate var stream: HTTP2Stream?
  fileprivate(set) var answer = WireAnswer()
  private var unconsumed = 0
  private let onChange: () -> Void

  fileprivate init(onChange: @escaping () -> Void) { self.onChange = onChange }

  fileprivate func takeUnconsumed() -> Int {
    defer { unconsumed = 0 }
    return unconsumed
  }

  func stream(_ stream: HTTP2Stream, didReceiveHeaders block: HeaderBlock) {
    if answer.headers == nil { answer.headers = block } else { answer.trailers = block }
  }

  func streamDidReceiveOversizedHeaders(_ stream: HTTP2Stream) {}

  func stream(_ stream: HTTP2Stream, didReceiveData bytes: UnsafeRawBufferPointer) {
    unconsumed += bytes.count
    answer.body.append(contentsOf: bytes)
  }

  func streamDidReceiveEnd(_ stream: HTTP2Stream) { answer.isEnded = true }
  func streamDidDrain(_ stream: HTTP2Stream) {}
  func stream(_ stream: HTTP2Stream, didClose code: HTTP2ErrorCode) { answer.code = code }
}

/// What a GOAWAY frame says.
struct GoAway: Sendable, Equatable {
  var last: Int32
  var code: HTTP2ErrorCode?
  var debug: String
}

/// Finds GOAWAY frames in what a server sends (RFC 9113 §4.1, §6.8).
struct FrameReader {
  private static let headBytes = 9
  private static let goAway: UInt8 = 7
  private var waiting: [UInt8] = []
  private(set) var goAways: [GoAway] = []

  mutating func take(_ bytes: UnsafeRawBufferPointer) {
    waiting.append(contentsOf: bytes)
    while waiting.count >= Self.headBytes {
      let length = number(waiting[0..<3])
      let end = Self.headBytes + length
      guard waiting.count >= end else { return }
      if waiting[3] == Self.goAway { note(waiting[Self.headBytes..<end]) }
      waiting.removeFirst(end)
    }
  }

  private mutating func note(_ payload: ArraySlice<UInt8>) {
    let codeStart = payload.startIndex + 4
    let debugStart = codeStart + 4
    goAways.append(
      GoAway(
        last: Int32(number(payload[..<codeStart])),
        code: HTTP2ErrorCode(rawValue: UInt32(number(payload[codeStart..<debugStart]))),
        debug: String(decoding: payload[debugStart...], as: UTF8.self)
      )
    )
  }

  private func number(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.reduce(0) { $0 << 8 | Int($1) }
  }
}
