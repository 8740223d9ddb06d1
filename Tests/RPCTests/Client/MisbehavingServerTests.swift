import EventLoop
import HTTP2
import Net
import Testing

@testable import RPC

/// One thing that a server should not do.
struct Misdeed: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// What the call ends with; nil for success in spite of it.
  let code: StatusCode?
  let answer: ScriptedPeer.Answer

  init(_ title: String, _ code: StatusCode?, _ answer: ScriptedPeer.Answer) {
    testDescription = title
    self.code = code
    self.answer = answer
  }

  /// Frames instead of a reply.
  init(_ title: String, _ code: StatusCode?, _ frames: @escaping @Sendable (Int32) -> [UInt8]) {
    self.init(title, code, .frames(frames))
  }

  /// A reply with other trailers than it should have.
  init(trailers: HeaderBlock, _ title: String, _ code: StatusCode?) {
    self.init(title, code, .response(Self.head, RPCFraming.frame([7]), trailers: trailers))
  }

  /// A reply with another body than one message, and status OK.
  init(body: [UInt8], _ title: String, _ code: StatusCode?, encoding: String? = nil) {
    var head = Self.head
    if let encoding { head.append("grpc-encoding", encoding) }
    self.init(title, code, .response(head, body, trailers: ["grpc-status": "0"]))
  }

  static let head: HeaderBlock = [":status": "200", "content-type": "application/grpc"]
  static let rawHead: KeyValuePairs = [":status": "200", "content-type": "application/grpc"]
}

@Suite("A client and what servers may send", .timeLimit(.minutes(1)))
struct MisbehavingServerTests {
  private static let message = RPCFraming.frame([7])
  private static let limit = 1_000

  static let statuses = [
    Misdeed(trailers: ["x": "y"], "trailers without a status", .unknown),
    Misdeed(trailers: ["grpc-status": ""], "an empty status", .unknown),
    Misdeed(trailers: ["grpc-status": "OK"], "a status in words", .unknown),
    Misdeed(trailers: ["grpc-status": "+0"], "a status with a sign", .unknown),
    Misdeed(trailers: ["grpc-status": "17"], "a status that nobody knows", .unknown),
    Misdeed(
      trailers: ["grpc-status": "99999999999999999999"],
      "a status that fits in no integer",
      .unknown
    ),
    Misdeed(
      trailers: ["grpc-status": "5", "grpc-message": "%zz%", "grpc-status-details-bin": "%%"],
      "a message and details that cannot be decoded",
      .notFound
    ),
    Misdeed("success without a reply", .internalError, .trailersOnly(.ok, [])),
    Misdeed(
      "no trailers at all",
      .unknown,
      .response(Misdeed.head, message, trailers: nil)
    ),
    Misdeed(
      "a page with HTTP status 200",
      .unknown,
      .response(
        [":status": "200", "content-type": "text/html"],
        Array("<h1>hello".utf8),
        trailers: nil
      )
    ),
    Misdeed(
      "no content type",
      .unknown,
      .response([":status": "200"], message, trailers: nil)
    ),
  ]

  static let bodies = [
    Misdeed(body: [], "no message", .internalError),
    Misdeed(body: message + message, "two messages", .internalError),
    Misdeed(body: [0, 0, 0], "half a prefix", .internalError),
    Misdeed(body: [0, 0, 0, 0, 9, 1], "half a message", .internalError),
    Misdeed(body: message + [0], "a message and a byte", .internalError),
    Misdeed(body: [2, 0, 0, 0, 0], "an unknown flag", .internalError),
    Misdeed(body: [0, 255, 255, 255, 255, 1], "4 GiB announced", .resourceExhausted),
    Misdeed(
      body: RPCFraming.frame([UInt8](repeating: 0, count: limit + 1)),
      "a message over the limit",
      .resourceExhausted
    ),
    Misdeed(body: [1, 0, 0, 0, 1, 7], "a compressed message without an encoding", .internalError),
    Misdeed(
      body: [1, 0, 0, 0, 1, 7],
      "an encoding that was not accepted",
      .internalError,
      encoding: "snappy"
    ),
    Misdeed(
      body: [1, 0, 0, 0, 1, 7],
      "a compressed message that is not gzip",
      .internalError,
      encoding: "gzip"
    ),
  ]

  /// Against HTTP/2 itself: those that concern one stream alone (RFC 9113 §8), then others.
  static let frames = [
    Misdeed("DATA before HEADERS", .unavailable) { RawFrames.data($0, message, end: true) },
    Misdeed("trailers that do not end the stream", .internalError) {
      RawFrames.headers($0, Misdeed.rawHead) + RawFrames.headers($0, ["grpc-status": "0"])
    },
    Misdeed("a pseudo-header in trailers", .internalError) {
      RawFrames.headers($0, Misdeed.rawHead) + RawFrames.data($0, message)
        + RawFrames.headers($0, [":status": "200", "grpc-status": "0"], end: true)
    },
    Misdeed("no HTTP status", .internalError) {
      RawFrames.headers($0, ["content-type": "application/grpc"])
    },
    Misdeed("a HTTP status in words", .internalError) { RawFrames.headers($0, [":status": "OK!"]) },
    Misdeed("an upper-case name", .internalError) {
      RawFrames.headers($0, [":status": "200", "Content-Type": "application/grpc"])
    },
    Misdeed("a field of connections", .internalError) {
      RawFrames.headers($0, [":status": "200", "connection": "close"])
    },
    Misdeed("content-length below the body", .internalError) {
      RawFrames.headers($0, [":status": "200", "content-length": "1"])
        + RawFrames.data($0, message, end: true)
    },
    Misdeed("informational replies first", nil) {
      RawFrames.headers($0, [":status": "100"]) + RawFrames.headers($0, [":status": "103"])
        + RawFrames.headers($0, Misdeed.rawHead) + RawFrames.data($0, message)
        + RawFrames.headers($0, ["grpc-status": "0"], end: true)
    },
    Misdeed("DATA after trailers", nil) { complete($0) + RawFrames.data($0, message, end: true) },
    Misdeed("HEADERS after trailers", nil) { complete($0) + RawFrames.headers($0, ["x": "y"]) },
    Misdeed("RST_STREAM after trailers", nil) { complete($0) + RawFrames.reset($0, 2) },
    Misdeed("GOAWAY after trailers", nil) { complete($0) + RawFrames.goAway(last: $0, 0) },
    Misdeed("GOAWAY before the reply", nil) { RawFrames.goAway(last: $0, 0) + complete($0) },
    Misdeed("PUSH_PROMISE", .unavailable) {
      RawFrames.frame(5, RawFrames.endHeaders, $0, [0, 0, 0, 2, 0x88])
    },
    Misdeed("DATA of a stream that nobody opened", .unavailable) {
      RawFrames.data($0 + 100, message)
    },
    Misdeed("a frame over the limit", .unavailable) {
      RawFrames.data($0, [UInt8](repeating: 0, count: 16_385))
    },
    Misdeed("a header block that cannot be decoded", .unavailable) {
      RawFrames.frame(1, RawFrames.endHeaders, $0, [0x80])
    },
    Misdeed("another protocol in the middle", .unavailable) { _ in
      Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
    },
    Misdeed("the end of the connection", .unavailable, .drop),
    Misdeed("the end of the connection after headers", .unavailable, .dropAfterHeaders),
  ]

  private static func complete(_ stream: Int32) -> [UInt8] {
    RawFrames.headers(stream, Misdeed.rawHead) + RawFrames.data(stream, message)
      + RawFrames.headers(stream, ["grpc-status": "0"], end: true)
  }

  @Test(
    "Each misdeed has its status, and the next call succeeds",
    arguments: statuses + bodies + frames
  )
  func misdeed(_ misdeed: Misdeed) async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { $0.number == 1 ? misdeed.answer : .reply([8]) }
      let channel = try fixture.channel(to: peer) {
        $0.limits.maxReceiveMessageBytes = Self.limit
      }
      if let code = misdeed.code {
        let error = await #expect(throws: ServiceError.self) {
          try await channel.call(RPCFixture.method("Create"))
        }
        #expect(error?.code == code)
      } else {
        let reply = try await channel.call(RPCFixture.method("Create"))
        #expect(reply == [7])
      }
      let options = CallOptions(deadline: .now + .seconds(20), waitForReady: true)
      let next = try await channel.call(RPCFixture.method("Create"), [], options)
      #expect(next == [8])
      await channel.close()
    }
  }

  /// The table of grpc doc/PROTOCOL-HTTP2.md, "Errors"; REFUSED_STREAM is tried again first.
  @Test(
    "Every code of RST_STREAM has its status",
    arguments: [
      (0, .internalError), (1, .internalError), (2, .internalError), (3, .internalError),
      (4, .internalError), (5, .internalError), (6, .internalError), (7, .unavailable),
      (8, .cancelled), (9, .internalError), (10, .internalError), (11, .resourceExhausted),
      (12, .permissionDenied), (13, .internalError), (14, .internalError),
      (.max, .internalError),
    ] as [(UInt32, StatusCode)]
  )
  func reset(number: UInt32, code: StatusCode) async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .frames { RawFrames.reset($0, number) } }
      let channel = try fixture.channel(to: peer)
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(RPCFixture.method("Create"))
      }
      #expect(error?.code == code)
      #expect(peer.connections == 1)
      await channel.close()
    }
  }

  @Test("A stream's messages arrive before the status that follows from its end")
  func afterMessages() async throws {
    try await ClientFixture.run { fixture in
      let frames: @Sendable (Int32) -> [UInt8] = { stream in
        RawFrames.headers(stream, Misdeed.rawHead) + RawFrames.data(stream, Self.message)
          + RawFrames.data(stream, Self.message + [0, 0]) + RawFrames.reset(stream, 11)
      }
      let peer = try await fixture.peer { _ in .frames(frames) }
      let channel = try fixture.channel(to: peer)
      let method = RPCFixture.method("List", .serverStreaming)
      let stream = try await channel.openStream(method)
      try await stream.send(framed([]))
      await stream.finishSending()
      var messages: [[UInt8]] = []
      let error = await #expect(throws: ServiceError.self) {
        for try await message in stream { messages.append(message) }
      }
      #expect(messages == [[7], [7]])
      #expect(error?.code == .resourceExhausted)
      await channel.close()
    }
  }

  @Test("A server that goes on after a reply that cannot be read is told to stop")
  func cutOff() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in
        .response(Misdeed.head, [2, 0, 0, 0, 0], trailers: nil, isOpen: true)
      }
      let channel = try fixture.channel(to: peer)
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(RPCFixture.method("Create"))
      }
      #expect(error?.code == .internalError)
      for await code in peer.closes {
        #expect(code == .cancel)
        break
      }
      await channel.close()
    }
  }

  @Test("A status in the middle of a client's stream ends its sending, and is what it gets")
  func earlyStatus() async throws {
    let upload = RPCFixture.method("Upload", .clientStreaming)
    var registry = MethodRegistry()
    registry.stream(upload) { _, _, _ in throw ServiceError.runtime(.outOfRange, "enough") }
    try await RPCFixture.run(registry) { fixture in
      let stream = try await fixture.channel.openStream(upload, options: .timeout(.seconds(20)))
      let error = await #expect(throws: ServiceError.self) {
        while true { try await stream.send(framed([UInt8](repeating: 0, count: 10_000))) }
      }
      #expect(error?.code == .outOfRange)
    }
  }

  @Test("Metadata over the limit is RESOURCE_EXHAUSTED, and the next call succeeds")
  func metadata() async throws {
    try await ClientFixture.run { fixture in
      var head = Misdeed.head
      for number in 0..<20 {
        head.append("x-\(number)", String(repeating: "x", count: 1_000))
      }
      let answer = ScriptedPeer.Answer.response(
        head,
        Self.message,
        trailers: ["grpc-status": "0"]
      )
      let peer = try await fixture.peer { $0.number == 1 ? answer : .reply([8]) }
      let channel = try fixture.channel(to: peer)
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(RPCFixture.method("Create"))
      }
      #expect(error?.code == .resourceExhausted)
      let next = try await channel.call(RPCFixture.method("Create"))
      #expect(next == [8])
      #expect(peer.connections == 1)
      await channel.close()
    }
  }

  @Test("A server that takes no streams leaves a call to its deadline")
  func noStreams() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer(maxConcurrentStreams: 0) { _ in .reply([7]) }
      let channel = try fixture.channel(to: peer)
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(RPCFixture.method("Create"), [], .timeout(.milliseconds(50)))
      }
      #expect(error?.code == .deadlineExceeded)
      #expect(peer.requests.isEmpty)
      await channel.close()
    }
  }

  @Test(
    "A server that does not speak HTTP/2 is unavailable",
    arguments: [
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
      String(repeating: "\0", count: 9),
    ]
  )
  func otherProtocol(greeting: String) async throws {
    try await ClientFixture.run { fixture in
      let greeter = try await Greeter.start(group: fixture.group, greeting: Array(greeting.utf8))
      let channel = try fixture.channel("\(greeter.address)")
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(RPCFixture.method("Create"))
      }
      #expect(error?.code == .unavailable)
      await channel.close()
    }
  }

  @Test("A server that never says anything leaves a call to its deadline")
  func silence() async throws {
    try await ClientFixture.run { fixture in
      let greeter = try await Greeter.start(group: fixture.group, greeting: [])
      let channel = try fixture.channel("\(greeter.address)")
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(RPCFixture.method("Create"), [], .timeout(.milliseconds(50)))
      }
      #expect(error?.code == .deadlineExceeded)
      await channel.close()
    }
  }
}

/// A server that says one thing and then listens for ever.
private enum Greeter {
  static func start(group: EventLoopGroup, greeting: [UInt8]) async throws -> Listener {
    try await Listener.start(
      on: .host("127.0.0.1", port: 0),
      group: group,
      distribution: .leastConnections,
      tls: nil
    ) { _, _ in Greeting(greeting) }
  }

  // @unchecked: used on the loop of its connection alone.
  private final class Greeting: TransportDelegate, @unchecked Sendable {
    private var rest: [UInt8]

    init(_ greeting: [UInt8]) { rest = greeting }

    func transportDidOpen(_ transport: Transport) { transport.setNeedsFlush() }
    func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {}
    func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {
      rest.withUnsafeBytes { buffer.append($0) }
      rest = []
    }
    func transportDidReceiveEOF(_ transport: Transport) { transport.close() }
    func transportDidClose(_ transport: Transport, error: NetError?) {}
  }
}
