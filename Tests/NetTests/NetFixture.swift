import EventLoop
import Foundation
import Net
import Synchronization
import Testing

/// What happened to a connection, in order.
enum TransportEvent: Sendable, Equatable {
  case opened
  case received([UInt8])
  case ended
  /// With the text of the error, nil for an orderly end.
  case closed(String?)
}

/// Records what a transport tells; sends what it is asked for.
final class Recorder: TransportDelegate, Sendable {
  let events: AsyncStream<TransportEvent>
  private let continuation: AsyncStream<TransportEvent>.Continuation
  private let state = Mutex(State())

  private struct State {
    var transport: Transport?
    var output: [UInt8] = []
    var isEndless = false
    var isOver = false
  }

  init() { (events, continuation) = AsyncStream.makeStream() }

  func transportDidOpen(_ transport: Transport) {
    let isOver = state.withLock { state in
      if !state.isOver { state.transport = transport }
      return state.isOver
    }
    guard !isOver else { return transport.close() }
    continuation.yield(.opened)
    transport.setNeedsFlush()
  }

  func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {
    continuation.yield(.received(Array(bytes)))
  }

  func transportDidReceiveEOF(_ transport: Transport) {
    continuation.yield(.ended)
    transport.close()
  }

  func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {
    let bytes = state.withLock { state in
      defer { if !state.isEndless { state.output = [] } }
      return state.output
    }
    buffer.append(bytes)
  }

  func transportDidClose(_ transport: Transport, error: NetError?) {
    // They hold each other.
    state.withLock { $0.transport = nil }
    continuation.yield(.closed(error.map { "\($0)" }))
    continuation.finish()
  }

  /// Sends these bytes when the connection stands, again and again when `isEndless`.
  func send(_ bytes: [UInt8], isEndless: Bool = false) {
    let transport = state.withLock { state in
      state.output = bytes
      state.isEndless = isEndless
      return state.transport
    }
    transport.map { $0.loop.submit { [transport = $0] in transport.setNeedsFlush() } }
  }

  /// Does something with the transport on its loop.
  func perform(_ work: @escaping @Sendable (Transport) -> Void) {
    guard let transport = state.withLock({ $0.transport }) else { return }
    transport.loop.submit { work(transport) }
  }

  /// Closes the connection if it stands, and at once if it is yet to stand.
  func close() async {
    let transport = state.withLock { state in
      state.isOver = true
      return state.transport
    }
    guard let transport else { return }
    await withCheckedContinuation { done in
      transport.loop.submit {
        transport.close()
        done.resume()
      }
    }
  }

  /// Waits for the first event that is wanted; nil when the connection is over before.
  func first(_ isWanted: (TransportEvent) -> Bool) async -> TransportEvent? {
    for await event in events where isWanted(event) { return event }
    return nil
  }

  /// Waits until the connection is over and tells why.
  func end() async -> String? {
    guard case .closed(let reason) = await first({ if case .closed = $0 { true } else { false } })
    else { return "no end" }
    return reason
  }
}

/// The recorders of a fixture: what they record outlives its loops unless it is closed.
private final class Recorders: Sendable {
  private let all = Mutex<[Recorder]>([])

  func make() -> Recorder {
    let recorder = Recorder()
    all.withLock { $0.append(recorder) }
    return recorder
  }

  func close() async {
    for recorder in all.withLock({ $0 }) { await recorder.close() }
  }
}

/// A listener whose connections are recorded, and clients of it.
struct NetFixture {
  let group: EventLoopGroup
  let listener: Listener
  /// The server's side of each connection, in the order of their coming.
  let accepted: AsyncStream<Recorder>
  private let recorders: Recorders

  static func run(
    on endpoint: Endpoint = .host("127.0.0.1", port: 0),
    tls: TLSContext? = nil,
    limits: ListenerLimits = ListenerLimits(),
    transportLimits: TransportLimits = TransportLimits(),
    _ body: (NetFixture) async throws -> Void
  ) async throws {
    let group = try EventLoopGroup(count: 1)
    let recorders = Recorders()
    let (accepted, continuation) = AsyncStream.makeStream(of: Recorder.self)
    let listener = try await Listener.start(
      on: endpoint,
      group: group,
      distribution: .leastConnections,
      tls: tls,
      limits: limits,
      transportLimits: transportLimits
    ) { _, _ in
      let recorder = recorders.make()
      continuation.yield(recorder)
      return recorder
    }
    let fixture = NetFixture(
      group: group,
      listener: listener,
      accepted: accepted,
      recorders: recorders
    )
    let result: Result<Void, any Error>
    do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
    await listener.stop()
    await recorders.close()
    group.stop()
    try result.get()
  }

  var port: UInt16 { listener.address.port }

  /// A client's side of a new connection.
  func connect(tls: TLSContext? = nil, reads: Bool = true) async throws -> Recorder {
    let recorder = recorders.make()
    let address = listener.address
    let loop = group.loops[0]
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      loop.submit {
        _ = try? Transport.connect(
          to: address,
          on: loop,
          tls: tls,
          serverName: tls == nil ? nil : "jobs",
          delegate: recorder
        )
        done.resume()
      }
    }
    return recorder
  }

  /// The server's side of the next connection.
  func next() async throws -> Recorder {
    for await recorder in accepted { return recorder }
    throw NetError.unreachable("no connection has come")
  }
}

/// Certificates that `make test` has issued.
enum Certificates {
  static func folder() throws -> String {
    try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_CERTS_DIR"],
      "set ONESHOT_TEST_CERTS_DIR, or run make test"
    )
  }

  static func mutual(
    _ role: TLSContext.Configuration.Role,
    _ name: String,
    protocols: [String] = ["h2"]
  ) throws -> TLSContext {
    let folder = try folder()
    return try TLSContext(
      .mutual(
        role,
        certificateFile: "\(folder)/\(name).crt",
        keyFile: "\(folder)/\(name).key",
        authorityFile: "\(folder)/ca.crt",
        protocols: protocols
      )
    )
  }

  static func publicServer() throws -> TLSContext {
    let folder = try folder()
    return try TLSContext(
      .publicServer(certificateFile: "\(folder)/public.crt", keyFile: "\(folder)/public.key")
    )
  }
}

/// OpenSSL's own client, for what ours would never do.
enum OpenSSLClient {
  /// Connects, says `input`, and returns everything that it printed.
  static func run(_ port: UInt16, _ options: [String], input: String = "Q\n") async throws -> String
  {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(with: Result { try blocking(port, options, input) })
      }
    }
  }

  /// Connects, says `input` when it has read `greeting`, and returns everything that it printed.
  static func converse(
    _ port: UInt16,
    _ options: [String],
    after greeting: String,
    input: String
  ) async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(with: Result { try blocking(port, options, input, after: greeting) })
      }
    }
  }

  /// Asks for new keys on both sides, one after the other; the number of times that it could.
  static func updateKeys(_ port: UInt16, times: Int) async throws -> Int {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(with: Result { try updateKeysBlocking(port, times) })
      }
    }
  }

  private static func updateKeysBlocking(_ port: UInt16, _ times: Int) throws -> Int {
    let (process, stdin, output) = try start(port, ["-tls1_3", "-alpn", "h2"])
    defer {
      // The end of its input is the end of the client.
      try? stdin.fileHandleForWriting.close()
      process.waitUntilExit()
    }
    var text = ""
    func read(until word: String, _ count: Int) -> Bool {
      while text.components(separatedBy: word).count <= count {
        let data = output.fileHandleForReading.availableData
        guard !data.isEmpty else { return false }
        text += String(decoding: data, as: UTF8.self)
      }
      return true
    }
    // The verdict on the certificate is the last word before it listens.
    guard read(until: "Verify return code", 1) else { return 0 }
    for count in 1...times {
      guard (try? stdin.fileHandleForWriting.write(contentsOf: Data("K\n".utf8))) != nil,
        read(until: "KEYUPDATE", count)
      else { return count - 1 }
    }
    return times
  }

  private static func start(_ port: UInt16, _ options: [String]) throws -> (Process, Pipe, Pipe) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = ["s_client", "-connect", "127.0.0.1:\(port)"] + options
    let (stdin, output) = (Pipe(), Pipe())
    process.standardInput = stdin
    process.standardOutput = output
    process.standardError = output
    try process.run()
    return (process, stdin, output)
  }

  private static func blocking(
    _ port: UInt16,
    _ options: [String],
    _ input: String,
    after greeting: String = ""
  ) throws -> String {
    let (process, stdin, output) = try start(port, options)
    var text = ""
    while !greeting.isEmpty, !text.contains(greeting) {
      let data = output.fileHandleForReading.availableData
      if data.isEmpty { break }
      text += String(decoding: data, as: UTF8.self)
    }
    try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try stdin.fileHandleForWriting.close()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return text + String(decoding: data, as: UTF8.self)
  }
}
