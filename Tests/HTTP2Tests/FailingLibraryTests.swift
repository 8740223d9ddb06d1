import Synchronization
import Testing

@testable import HTTP2
@testable import Net

/// Memory that runs out at one request, and a count of what is taken.
private final class Memory: Sendable {
  private let state = Mutex((requests: 0, taken: 0))
  private let failing: Int

  /// The `failing`th request is refused, counted from 1.
  init(failing: Int) { self.failing = failing }

  /// Whether the request that is to be refused has come.
  var hasFailed: Bool { state.withLock { $0.requests >= failing } }
  /// Blocks that were not given back.
  var taken: Int { state.withLock { $0.taken } }

  func take() -> Bool {
    state.withLock { state in
      state.requests += 1
      guard state.requests != failing else { return false }
      state.taken += 1
      return true
    }
  }

  func giveBack() { state.withLock { $0.taken -= 1 } }
}

/// One side's view of a call.
private final class Exchange: HTTP2StreamHandler {
  private unowned let session: HTTP2Session
  private(set) var blocks: [HeaderBlock] = []
  private(set) var bytes = 0
  private(set) var hasEnded = false
  private(set) var closes = 0
  /// Acts when the peer has sent everything; called after `receive`, never inside it.
  private(set) var stream: HTTP2Stream?

  init(_ session: HTTP2Session) { self.session = session }

  func stream(_ stream: HTTP2Stream, didReceiveHeaders block: HeaderBlock) {
    self.stream = stream
    blocks.append(block)
  }
  func streamDidReceiveOversizedHeaders(_ stream: HTTP2Stream) {}
  func stream(_ stream: HTTP2Stream, didReceiveData data: UnsafeRawBufferPointer) {
    bytes += data.count
    session.consume(stream, data.count)
  }
  func streamDidReceiveEnd(_ stream: HTTP2Stream) { hasEnded = true }
  func streamDidDrain(_ stream: HTTP2Stream) {}
  func stream(_ stream: HTTP2Stream, didClose code: HTTP2ErrorCode) { closes += 1 }
}

/// A client's and a server's session with nothing between them, and one call.
private struct Wire {
  /// What has become of the call.
  struct Outcome {
    /// Both sides saw all of it.
    var isComplete = false
    /// A side gave the connection up.
    var error: HTTP2Error?
    /// How often the ends of streams were told, and how many streams there were.
    var closes = 0
    var streams = 0
  }

  /// Lets one call run to its end, a PING and a farewell included; then ends both sessions.
  static func run(client: HTTP2Limits, server: HTTP2Limits) -> Outcome {
    var outcome = Outcome()
    do {
      let client = try HTTP2Session(role: .client, limits: client)
      let server = try HTTP2Session(role: .server, limits: server)
      var exchanges: [Exchange] = []
      server.onStreamOpened = { [unowned server] stream in
        let exchange = Exchange(server)
        exchanges.append(exchange)
        stream.handler = exchange
      }
      let call = Exchange(client)
      do {
        try converse(client, server, call) { exchanges.first }
      } catch {
        outcome.error = client.fault ?? server.fault ?? error
      }
      outcome.isComplete =
        call.blocks.count == 2 && call.bytes == body.count && call.hasEnded
        && exchanges.first?.bytes == body.count && client.pongs == 1
      client.closeAllStreams(.cancel)
      server.closeAllStreams(.cancel)
      outcome.streams = exchanges.count + (call.stream == nil && call.closes == 0 ? 0 : 1)
      outcome.closes = exchanges.reduce(call.closes) { $0 + $1.closes }
      #expect(client.openStreams == 0)
      #expect(server.openStreams == 0)
    } catch {
      outcome.error = error
    }
    return outcome
  }

  /// More than a frame, more than half a stream's window: it has to be opened again.
  private static let body = [UInt8](repeating: 7, count: 200_000)

  private static func converse(
    _ client: HTTP2Session,
    _ server: HTTP2Session,
    _ call: Exchange,
    _ served: () -> Exchange?
  ) throws(HTTP2Error) {
    // The preface and SETTINGS of both sides.
    try pump(client, server)
    let request = try client.submitRequest(
      [":method": "POST", ":scheme": "http", ":authority": "a", ":path": "/a", "x-kind": "test"],
      endStream: false,
      handler: call
    )
    try pump(client, server)
    // The data source waits by now, and is told to go on.
    client.send(request, body)
    client.finish(request)
    client.ping()
    try pump(client, server)
    guard let exchange = served(), exchange.hasEnded, let stream = exchange.stream else { return }
    server.submitResponse(stream, [":status": "200", "x-kind": "test"], endStream: false)
    try pump(client, server)
    server.send(stream, body)
    server.finish(stream, trailers: ["grpc-status": "0"])
    try pump(client, server)
    try resetAnother(client, server)
    server.announceShutdown()
    server.goAway(debug: "done")
    try pump(client, server)
  }

  /// A second call, which its client gives up, and a frame of a type that nobody knows.
  private static func resetAnother(
    _ client: HTTP2Session,
    _ server: HTTP2Session
  ) throws(HTTP2Error) {
    let second = try client.submitRequest(
      [":method": "POST", ":scheme": "http", ":authority": "a", ":path": "/b"],
      endStream: false,
      handler: Exchange(client)
    )
    try pump(client, server)
    client.reset(second, .cancel)
    try pump(client, server)
    let unknown: [UInt8] = [0, 0, 1, 0xf0, 0, 0, 0, 0, 0, 9]
    for session in [client, server] { try deliver(unknown, to: session) }
  }

  /// Carries bytes until neither side has any.
  private static func pump(
    _ client: HTTP2Session,
    _ server: HTTP2Session
  ) throws(HTTP2Error) {
    while true {
      let sent = try take(from: client)
      if !sent.isEmpty { try deliver(sent, to: server) }
      let answered = try take(from: server)
      if !answered.isEmpty { try deliver(answered, to: client) }
      if sent.isEmpty, answered.isEmpty { return }
    }
  }

  private static func take(from session: HTTP2Session) throws(HTTP2Error) -> [UInt8] {
    var buffer = OutputBuffer()
    try session.fill(&buffer)
    if let fault = session.fault { throw fault }
    return buffer.withPending { [UInt8]($0) }
  }

  private static func deliver(_ bytes: [UInt8], to session: HTTP2Session) throws(HTTP2Error) {
    let result: Result<Void, HTTP2Error> = bytes.withUnsafeBytes { bytes in
      do throws(HTTP2Error) { return .success(try session.receive(bytes)) } catch {
        return .failure(error)
      }
    }
    try result.get()
  }
}

/// Limits under which a session has these faults.
private func limits(_ faults: SessionFaults?) -> HTTP2Limits {
  var limits = HTTP2Limits()
  limits.faults = faults.map { Unmanaged.passUnretained($0) }
  return limits
}

@Suite("A library that fails") struct FailingLibraryTests {
  @Test(
    "Whichever allocation fails, the connection ends with an error or the call succeeds",
    arguments: [HTTP2Session.Role.client, .server]
  )
  func allocations(role: HTTP2Session.Role) throws {
    var ended = 0
    var number = 1
    while true {
      let memory = Memory(failing: number)
      let faults = SessionFaults(
        grantsMemory: { memory.take() },
        memoryCameBack: { memory.giveBack() }
      )
      let outcome = withExtendedLifetime(faults) {
        Wire.run(
          client: limits(role == .client ? faults : nil),
          server: limits(role == .server ? faults : nil)
        )
      }
      #expect(memory.taken == 0, "request \(number): blocks were not given back")
      #expect(outcome.closes == outcome.streams, "request \(number): a stream was not ended")
      guard memory.hasFailed else {
        #expect(outcome.isComplete)
        #expect(outcome.error == nil)
        break
      }
      if let error = outcome.error {
        ended += 1
        // Where the library ends the connection by itself, it says the same as for a limit of its own.
        let kinds = ["library", "library_limit"]
        #expect(kinds.contains(error.kind), "request \(number): \(error)")
      } else {
        #expect(outcome.isComplete, "request \(number): nobody noticed")
      }
      number += 1
    }
    #expect(number > 30)
    print("\(role): \(number - 1) allocations failed, one a run; \(ended) ended the connection")
  }

  @Test(
    "Whichever callback fails, the connection ends with an error",
    arguments: [HTTP2Session.Role.client, .server],
    SessionFaults.Callback.allCases
  )
  func callbacks(role: HTTP2Session.Role, callback: SessionFaults.Callback) {
    let faults = SessionFaults(breaking: callback)
    let outcome = withExtendedLifetime(faults) {
      Wire.run(
        client: limits(role == .client ? faults : nil),
        server: limits(role == .server ? faults : nil)
      )
    }
    #expect(outcome.error?.kind == "library", "\(outcome)")
    #expect(outcome.closes == outcome.streams)
  }
}
