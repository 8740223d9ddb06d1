import EventLoop
import HTTP2
import Net
import Synchronization

@testable import RPC

/// An HTTP/2 server that does to each request what its script says: for peers that misbehave.
final class ScriptedPeer: Sendable {
  enum Answer: Sendable {
    /// Says nothing, for ever.
    case silence
    case reset(HTTP2ErrorCode)
    /// A unary reply with status OK.
    case reply([UInt8])
    /// The body as it came, with status OK.
    case echo
    /// Status and trailers alone in one block.
    case trailersOnly(StatusCode, [(String, String)])
    /// Headers, one message, then the status.
    case failAfterMessage(StatusCode)
    /// GOAWAY whose last stream is the one before this.
    case goAwayBefore
    /// GOAWAY with the complaint about keepalive pings; the call is never answered.
    case tooManyPings
    /// From now on nothing is read and nothing is said, not even to PINGs: gone without a FIN.
    case vanish
    /// The connection is cut.
    case drop
    /// Headers come, then the connection is cut.
    case dropAfterHeaders
    /// What a proxy says that has no server: an HTTP status and a page for people.
    case errorPage(Int)
    /// Head, body and trailers as they are; `isOpen` leaves the stream without its end.
    case response(HeaderBlock, [UInt8], trailers: HeaderBlock?, isOpen: Bool = false)
    /// Frames of the test's own making for a stream, behind the session's back.
    case frames(@Sendable (Int32) -> [UInt8])
  }

  struct Request: Sendable {
    /// 1, 2, 3… over all connections.
    let number: Int
    /// Connections that were accepted until now.
    let connections: Int
    let head: HeaderBlock
  }

  let listener: Listener
  private let state: State

  var address: SocketAddress { listener.address }
  /// Requests that have come.
  var requests: [Request] { state.requests.withLock { $0 } }
  /// Connections that were accepted.
  var connections: Int { state.connections.value }
  /// How streams were closed, each as it is; one reader.
  var closes: AsyncStream<HTTP2ErrorCode> { state.closes.stream }

  fileprivate final class State: Sendable {
    let connections = Counter()
    let requests = Mutex<[Request]>([])
    let closes = AsyncStream.makeStream(of: HTTP2ErrorCode.self)
    /// Connections that stand.
    let open = Mutex<[ObjectIdentifier: PeerConnection]>([:])
    let limits: HTTP2Limits
    let script: @Sendable (Request) -> Answer

    init(limits: HTTP2Limits, script: @escaping @Sendable (Request) -> Answer) {
      self.limits = limits
      self.script = script
    }
  }

  static func start(
    group: EventLoopGroup,
    endpoint: Endpoint = .host("127.0.0.1", port: 0),
    maxConcurrentStreams: UInt32 = 100,
    script: @escaping @Sendable (Request) -> Answer
  ) async throws -> ScriptedPeer {
    var limits = HTTP2Limits()
    limits.maxConcurrentStreams = maxConcurrentStreams
    let state = State(limits: limits, script: script)
    let listener = try await Listener.start(
      on: endpoint,
      group: group,
      distribution: .leastConnections,
      tls: nil
    ) { loop, _ in PeerConnection(state, loop) }
    return ScriptedPeer(listener: listener, state: state)
  }

  private init(listener: Listener, state: State) {
    self.listener = listener
    self.state = state
  }

  /// Accepts no more and cuts the connections, which would outlive their loop.
  func stop() async {
    await listener.stop()
    for connection in state.open.withLock({ Array($0.values) }) { await connection.cut() }
  }
}

// @unchecked: used on the loop of its connection alone.
private final class PeerConnection: TransportDelegate, HTTP2StreamHandler, @unchecked Sendable {
  private let state: ScriptedPeer.State
  private let loop: EventLoop
  private var transport: Transport?
  private var session: HTTP2Session?
  private var heads: [Int32: HeaderBlock] = [:]
  private var bodies: [Int32: [UInt8]] = [:]
  private var complete: [HTTP2Stream] = []
  /// Frames that the session does not know of.
  private var raw: [UInt8] = []
  private var hasVanished = false

  init(_ state: ScriptedPeer.State, _ loop: EventLoop) {
    self.state = state
    self.loop = loop
  }

  /// From anywhere.
  func cut() async {
    await withCheckedContinuation { done in
      loop.submit {
        self.transport?.close()
        done.resume()
      }
    }
  }

  func transportDidOpen(_ transport: Transport) {
    self.transport = transport
    state.open.withLock { $0[ObjectIdentifier(self)] = self }
    state.connections.increment()
    session = try? HTTP2Session(role: .server, limits: state.limits)
    session?.onStreamOpened = { [unowned self] in $0.handler = self }
    transport.setNeedsFlush()
  }

  func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {
    guard !hasVanished else { return }
    try? session?.receive(bytes)
    let arrived = complete
    complete = []
    for stream in arrived { answer(stream) }
    transport.setNeedsFlush()
  }

  func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {
    guard !hasVanished else { return }
    try? session?.fill(&buffer)
    raw.withUnsafeBytes { buffer.append($0) }
    raw = []
  }

  func transportDidReceiveEOF(_ transport: Transport) { transport.close() }

  func transportDidClose(_ transport: Transport, error: NetError?) {
    session?.closeAllStreams(.cancel)
    session = nil
    self.transport = nil
    state.open.withLock { $0[ObjectIdentifier(self)] = nil }
  }

  func stream(_ stream: HTTP2Stream, didReceiveHeaders block: HeaderBlock) {
    heads[stream.id] = block
  }
  func streamDidReceiveOversizedHeaders(_ stream: HTTP2Stream) {}
  func stream(_ stream: HTTP2Stream, didReceiveData bytes: UnsafeRawBufferPointer) {
    session?.consume(stream, bytes.count)
    bodies[stream.id, default: []] += bytes
  }
  func streamDidReceiveEnd(_ stream: HTTP2Stream) { complete.append(stream) }
  func streamDidDrain(_ stream: HTTP2Stream) {}
  func stream(_ stream: HTTP2Stream, didClose code: HTTP2ErrorCode) {
    state.closes.continuation.yield(code)
  }

  private func answer(_ stream: HTTP2Stream) {
    let head = heads.removeValue(forKey: stream.id) ?? [:]
    let request = state.requests.withLock { requests in
      let request = ScriptedPeer.Request(
        number: requests.count + 1,
        connections: state.connections.value,
        head: head
      )
      requests.append(request)
      return request
    }
    perform(state.script(request), stream)
  }

  private static let headers: HeaderBlock = [
    ":status": "200", "content-type": "application/grpc",
  ]

  private func perform(_ answer: ScriptedPeer.Answer, _ stream: HTTP2Stream) {
    guard let session else { return }
    switch answer {
    case .silence: break
    case .reset(let code): session.reset(stream, code)
    case .reply(let message): reply(stream, message, .ok)
    case .echo: reply(stream, frames: bodies[stream.id] ?? [], .ok)
    case .failAfterMessage(let code): reply(stream, [], code)
    case .trailersOnly(let code, let trailers):
      var block = Self.headers
      block.append("grpc-status", String(code.rawValue))
      for (name, value) in trailers { block.append(name, value) }
      session.submitResponse(stream, block, endStream: true)
    case .goAwayBefore: raw = Self.goAway(last: stream.id - 2)
    case .tooManyPings:
      raw = Self.goAway(last: stream.id, .enhanceYourCalm, debug: "too_many_pings")
    case .vanish: hasVanished = true
    case .drop: transport?.close()
    case .dropAfterHeaders:
      session.submitResponse(stream, Self.headers, endStream: false)
      transport?.closeAfterFlush()
    case .errorPage(let status):
      session.submitResponse(
        stream,
        [":status": String(status), "content-type": "text/html"],
        endStream: false
      )
      session.send(stream, Array("<h1>The server is away</h1>".utf8))
      session.finish(stream)
    case .response(let head, let body, let trailers, let isOpen):
      session.submitResponse(stream, head, endStream: false)
      session.send(stream, body)
      if !isOpen { session.finish(stream, trailers: trailers) }
    case .frames(let frames): raw += frames(stream.id)
    }
  }

  /// RFC 9113 §6.8.
  private static func goAway(
    last: Int32,
    _ code: HTTP2ErrorCode = .noError,
    debug: String = ""
  ) -> [UInt8] {
    let id = withUnsafeBytes(of: last.bigEndian) { Array($0) }
    let error = withUnsafeBytes(of: code.rawValue.bigEndian) { Array($0) }
    return [0, 0, UInt8(8 + debug.utf8.count), 7, 0, 0, 0, 0, 0] + id + error + Array(debug.utf8)
  }

  private func reply(_ stream: HTTP2Stream, _ message: [UInt8], _ code: StatusCode) {
    reply(stream, frames: RPCFraming.frame(message), code)
  }

  private func reply(_ stream: HTTP2Stream, frames: [UInt8], _ code: StatusCode) {
    session?.submitResponse(stream, Self.headers, endStream: false)
    session?.send(stream, frames)
    session?.finish(stream, trailers: ["grpc-status": String(code.rawValue)])
  }
}
