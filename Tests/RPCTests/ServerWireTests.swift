import EventLoop
import Gzip
import HTTP2
import Net
import Testing

@testable import RPC

@Suite("A server and what clients may send") struct ServerWireTests {
  private let echo = RPCFixture.method("Echo")
  private let upload = RPCFixture.method("Upload", .clientStreaming)
  private let hang = RPCFixture.method("Hang", .bidirectional)

  /// Runs `body` with a client of its own making; `calls` counts the handlers that ran.
  private func run(
    limits: RPCLimits = RPCLimits(),
    _ body: (_ client: WireClient, _ calls: Counter) async throws -> Void
  ) async throws {
    let calls = Counter()
    var registry = MethodRegistry()
    registry.unary(echo) { message, _ in
      calls.increment()
      return framed(message)
    }
    registry.stream(upload) { requests, responses, _ in
      calls.increment()
      var count = 0
      for try await message in requests { count += message.count }
      try await responses.send(framed([UInt8(count & 255)]))
    }
    registry.stream(hang) { requests, _, _ in
      calls.increment()
      for try await _ in requests {}
      throw CancellationError()
    }
    try await RPCFixture.run(limits: limits, registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      try await body(client, calls)
      await client.close()
    }
  }

  @Test(
    "A malformed grpc-timeout is an error, never no limit",
    arguments: ["", "-1S", "1", "S", "123456789S", "1x", "1.5S", "1 S", "1S1", "٣S"]
  )
  func badTimeout(text: String) async throws {
    try await run { client, calls in
      let head = WireClient.head(echo, ["grpc-timeout": text])
      let answer = try await client.call(head, RPCFraming.frame([1]))
      #expect(answer.status == .internalError)
      #expect(answer.isTrailersOnly)
      #expect(calls.value == 0)
    }
  }

  @Test("Timeouts of every unit are taken", arguments: ["1H", "1M", "9S", "9000m", "9000000u"])
  func goodTimeout(text: String) async throws {
    try await run { client, _ in
      let head = WireClient.head(echo, ["grpc-timeout": text])
      let answer = try await client.call(head, RPCFraming.frame([1]))
      #expect(answer.status == .ok)
    }
  }

  @Test("The longest timeout is no error on a stream either")
  func longestTimeout() async throws {
    try await run { client, _ in
      let head = WireClient.head(upload, ["grpc-timeout": "99999999H"])
      let answer = try await client.call(head, RPCFraming.frame([1, 2]))
      #expect(answer.status == .ok)
      #expect(answer.body == RPCFraming.frame([2]))
    }
  }

  @Test(
    "A deadline ends the call at the server while its client says nothing",
    arguments: ["1n", "30m"]
  )
  func deadline(text: String) async throws {
    try await run { client, _ in
      let head = WireClient.head(hang, ["grpc-timeout": text])
      let answer = try await client.call(head, RPCFraming.frame([1]), end: false)
      #expect(answer.status == .deadlineExceeded)
      #expect(answer.isTrailersOnly)
    }
  }

  @Test(
    "What is not gRPC is answered as HTTP",
    arguments: [
      (":method", "GET", "405"), (":method", "HEAD", "405"), (":method", "PUT", "405"),
      ("content-type", "text/plain", "415"),
      ("content-type", "application/json", "415"), ("content-type", "application/grpc-web", "415"),
      ("content-type", "application/grpcx", "415"), ("content-type", nil, "415"),
    ] as [(String, String?, String)]
  )
  func notGRPC(name: String, value: String?, status: String) async throws {
    try await run { client, calls in
      let answer = try await client.call(WireClient.head(echo, [name: value]), RPCFraming.frame([]))
      #expect(answer.headers?.first(":status") == status)
      #expect(answer.status == nil)
      // Nobody who answers HEAD sends a body.
      let text = String(decoding: answer.body, as: UTF8.self)
      #expect(value == "HEAD" ? text.isEmpty : text.hasPrefix("\(status): this port speaks gRPC"))
      #expect(answer.isEnded)
      #expect(calls.value == 0)
    }
  }

  @Test(
    "Formats and parameters of the content type are taken",
    arguments: ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"]
  )
  func contentType(value: String) async throws {
    try await run { client, _ in
      let head = WireClient.head(echo, ["content-type": value])
      let answer = try await client.call(head, RPCFraming.frame([1]))
      #expect(answer.status == .ok)
    }
  }

  @Test("A client that does not say that it takes trailers gets no call", arguments: [nil, "gzip"])
  func noTrailers(te: String?) async throws {
    try await run { client, calls in
      // The library itself refuses another te than trailers.
      let head = WireClient.head(echo, ["te": te])
      let answer = try await client.call(head, RPCFraming.frame([1]))
      #expect(te == nil ? answer.status == .internalError : answer.code == .protocolError)
      #expect(calls.value == 0)
    }
  }

  @Test(
    "An unknown service or method is unimplemented, and said in one block",
    arguments: ["/test.Service/Nothing", "/test.Nothing/Echo", "/", "//", "/test.Service/echo"]
  )
  func unimplemented(path: String) async throws {
    try await run { client, _ in
      let answer = try await client.call(WireClient.head(echo, [":path": path]))
      #expect(answer.headers?.first(":status") == "200")
      #expect(answer.headers?.first("content-type") == "application/grpc")
      #expect(answer.status == .unimplemented)
      #expect(answer.isTrailersOnly)
    }
  }

  @Test(
    "A frame that names 4 GiB is refused at once, with three bytes behind it",
    arguments: [true, false]
  )
  func hugePrefix(isUnary: Bool) async throws {
    try await run { client, _ in
      let head = WireClient.head(isUnary ? echo : upload)
      let bytes: [UInt8] = [0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3]
      let answer = try await client.call(head, bytes, end: false)
      #expect(answer.status == .resourceExhausted)
    }
  }

  @Test(
    "A request that ends inside a frame is an error",
    arguments: [[0, 0, 0], [0, 0, 0, 0, 5, 1, 2]] as [[UInt8]],
    [true, false]
  )
  func truncated(bytes: [UInt8], isUnary: Bool) async throws {
    try await run { client, calls in
      let answer = try await client.call(WireClient.head(isUnary ? echo : upload), bytes)
      #expect(answer.status == .internalError)
      #expect(calls.value == (isUnary ? 0 : 1))
    }
  }

  @Test("A unary call takes exactly one message: with none or two its handler does not run")
  func cardinality() async throws {
    try await run { client, calls in
      let none = try await client.call(WireClient.head(echo))
      #expect(none.status == .unimplemented)
      let two = RPCFraming.frame([1]) + RPCFraming.frame([2])
      let both = try await client.call(WireClient.head(echo), two)
      #expect(both.status == .unimplemented)
      #expect(calls.value == 0)
    }
  }

  @Test("An empty message and one in many pieces are messages")
  func pieces() async throws {
    try await run { client, _ in
      let empty = try await client.call(WireClient.head(echo), RPCFraming.frame([]))
      #expect(empty.body == RPCFraming.frame([]))
      let stream = try await client.start(WireClient.head(echo), end: false)
      for byte in RPCFraming.frame([7, 8, 9]) { await client.send([byte], on: stream, end: false) }
      await client.send([], on: stream, end: true)
      let answer = await client.answer(of: stream)
      #expect(answer.body == RPCFraming.frame([7, 8, 9]))
      #expect(answer.status == .ok)
    }
  }

  // MARK: Compression

  private func packed(_ bytes: [UInt8]) throws -> [UInt8] {
    var frame = RPCFraming.frame(bytes)
    Compression.seal(&frame, with: .gzip)
    try #require(frame[0] == 1)
    return frame
  }

  @Test("A compressed message without an encoding, and a flag that is not known, are errors")
  func flags() async throws {
    try await run { client, calls in
      let frame = try packed([UInt8](repeating: 0, count: 1_000))
      for method in [echo, upload] {
        for encoding in [nil, "identity"] {
          let head = WireClient.head(method, ["grpc-encoding": encoding])
          let answer = try await client.call(head, frame)
          #expect(answer.status == .internalError)
        }
      }
      let flagged = try await client.call(WireClient.head(echo), [2] + frame[1...])
      #expect(flagged.status == .internalError)
      let notGzip = try await client.call(
        WireClient.head(echo, ["grpc-encoding": "gzip"]),
        [1] + RPCFraming.frame([1, 2, 3])[1...]
      )
      #expect(notGzip.status == .internalError)
      #expect(calls.value == 2)
    }
  }

  @Test("An unknown encoding is unimplemented, and the answer names those that are known")
  func unknownEncoding() async throws {
    try await run { client, _ in
      let head = WireClient.head(echo, ["grpc-encoding": "snappy"])
      let answer = try await client.call(head, RPCFraming.frame([1]))
      #expect(answer.status == .unimplemented)
      #expect(answer.headers?.first("grpc-accept-encoding") == "identity,gzip")
    }
  }

  @Test("Flag and encoding of each message are honoured, an identical one may stay as it is")
  func perMessage() async throws {
    try await run { client, _ in
      let message = [UInt8](repeating: 3, count: 100)
      let frames = try packed(message) + RPCFraming.frame(message) + packed(message)
      let head = WireClient.head(upload, ["grpc-encoding": "gzip"])
      let answer = try await client.call(head, frames)
      #expect(answer.status == .ok)
      #expect(answer.body == RPCFraming.frame([44]))
      // Nobody asked for it: the reply is not compressed.
      #expect(answer.headers?.first("grpc-encoding") == nil)
    }
  }

  @Test("A bomb is refused by what it says and by what it does")
  func bomb() async throws {
    try await run { client, calls in
      let honest = try packed([UInt8](repeating: 0, count: 5 << 20))
      let head = WireClient.head(echo, ["grpc-encoding": "gzip"])
      let said = try await client.call(head, honest)
      #expect(said.status == .resourceExhausted)
      // The last four bytes tell the size.
      let liar = honest.dropLast(4) + [1, 0, 0, 0]
      let done = try await client.call(head, Array(liar))
      #expect(done.status == .resourceExhausted)
      #expect(calls.value == 0)
    }
  }

  // MARK: Metadata

  @Test("Fields of one name keep their order, and -bin values come padded, unpadded or joined")
  func metadata() async throws {
    let method = RPCFixture.method("Metadata")
    var registry = MethodRegistry()
    registry.unary(method) { _, context in
      #expect(context.metadata.values(of: "tag") == ["b", "a", "b"])
      #expect(context.metadata.binary("raw-bin") == [0xFF])
      #expect(
        context.metadata.binaryValues(of: "raw-bin") == [[0xFF], [0xFF], [1, 2], [3], []]
      )
      #expect(context.metadata.binaryValues(of: "bad-bin") == nil)
      #expect(context.metadata.binary("worse-bin") == nil)
      #expect(context.metadata.fields.map(\.name).filter { $0.hasPrefix("grpc-") } == [])
      context.setHeader("tag", "x")
      context.setHeader("tag", "y")
      context.setTrailer("raw-bin", Base64.encode([0xFF, 0xFE]))
      return framed([])
    }
    try await RPCFixture.run(registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      let head = WireClient.head(
        method,
        [
          "tag": "b", "tag": "a", "tag": "b", "raw-bin": "/w==", "raw-bin": "/w",
          "raw-bin": "AQI=,Aw", "raw-bin": "", "bad-bin": "AQI=,*", "worse-bin": "*",
        ]
      )
      let answer = try await client.call(head, RPCFraming.frame([]))
      #expect(answer.status == .ok)
      #expect(answer.headers.map { Metadata($0).values(of: "tag") } == ["x", "y"])
      #expect(answer.trailers?.first("raw-bin") == "//4")
      await client.close()
    }
  }

  @Test("Metadata of 16 KiB is taken, more is refused and not cut, and the connection goes on")
  func metadataLimit() async throws {
    try await run { client, calls in
      let base = WireClient.head(echo).listBytes + "filler".utf8.count + 32
      let room = RPCLimits().maxMetadataBytes - base
      let full = WireClient.head(echo, ["filler": String(repeating: "x", count: room)])
      let taken = try await client.call(full, RPCFraming.frame([1]))
      #expect(taken.status == .ok)
      let over = WireClient.head(echo, ["filler": String(repeating: "x", count: room + 1)])
      let refused = try await client.call(over, RPCFraming.frame([1]))
      #expect(refused.headers?.first(":status") == "431")
      #expect(refused.status == .resourceExhausted)
      let again = try await client.call(WireClient.head(echo), RPCFraming.frame([2]))
      #expect(again.status == .ok)
      #expect(calls.value == 2)
    }
  }

  // MARK: Ends

  @Test("After an early answer the rest of the request is cut off without blame")
  func earlyEnd() async throws {
    try await run { client, _ in
      let stream = try await client.start(
        WireClient.head(upload),
        [0, 0xFF, 0xFF, 0xFF, 0xFF],
        end: false
      )
      await client.wait { stream.answer.code != nil }
      #expect(stream.answer.status == .resourceExhausted)
      #expect(stream.answer.code == .noError)
    }
  }

  @Test("The rest of a request that is not gRPC is taken and dropped")
  func skippedRest() async throws {
    try await run { client, _ in
      let head = WireClient.head(echo, ["content-type": "text/plain"])
      let stream = try await client.start(head, [1], end: false)
      await client.wait { stream.answer.isEnded }
      #expect(stream.answer.headers?.first(":status") == "415")
      await client.send([UInt8](repeating: 2, count: 60_000), on: stream, end: false)
      await client.ping()
      await client.waitForPongs(1)
      #expect(stream.answer.code == nil)
      await client.send([3], on: stream, end: true)
      let next = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      #expect(next.status == .ok)
    }
  }

  @Test("It is cut off when it is long, and when it takes long", arguments: [true, false])
  func cutOffRest(isLong: Bool) async throws {
    var limits = RPCLimits()
    limits.timePrecision = .milliseconds(10)
    if isLong { limits.skippedBodyBytes = 5 } else { limits.skippedBodyTime = .zero }
    try await run(limits: limits) { client, _ in
      let head = WireClient.head(echo, ["content-type": "text/plain"])
      let stream = try await client.start(head, [1], end: false)
      await client.wait { stream.answer.isEnded }
      if isLong { await client.send([1, 2, 3, 4, 5], on: stream, end: false) }
      await client.wait { stream.answer.code != nil }
      #expect(stream.answer.code == .noError)
      let next = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      #expect(next.status == .ok)
    }
  }

  @Test("A reset of the client, and the loss of its connection, cancel the handler")
  func cancelled() async throws {
    let running = RPCFixture.method("Running")
    let started = Counter()
    let ends = Counter()
    let (endings, ended) = AsyncStream.makeStream(of: Bool.self)
    var registry = MethodRegistry()
    registry.unary(running) { _, _ in
      started.increment()
      let forever = Signal()
      await withTaskCancellationHandler {
        await forever.wait()
      } onCancel: {
        forever.fire()
      }
      let count = ends.increment()
      ended.yield(Task.isCancelled)
      if count == 2 { ended.finish() }
      throw CancellationError()
    }
    try await RPCFixture.run(registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      let first = try await client.start(WireClient.head(running), RPCFraming.frame([]))
      _ = try await client.start(WireClient.head(running), RPCFraming.frame([]))
      while started.value < 2 { await Task.yield() }
      await client.reset(first)
      var iterator = endings.makeAsyncIterator()
      let reset = await iterator.next()
      #expect(reset == true)
      #expect(ends.value == 1)
      await client.close()
      let lost = await iterator.next()
      #expect(lost == true)
    }
  }
}
