import EventLoop
import HTTP2
import Net
import Testing

@testable import RPC

@Suite("A server and what it answers", .timeLimit(.minutes(1))) struct ReplyWireTests {
  private let zeros = RPCFixture.method("Zeros")
  private let fail = RPCFixture.method("Fail")
  private let echo = RPCFixture.method("Echo")
  private let chat = RPCFixture.method("Chat", .bidirectional)

  private func run(
    limits: RPCLimits = RPCLimits(),
    _ body: (_ client: WireClient, _ fixture: RPCFixture) async throws -> Void
  ) async throws {
    var registry = MethodRegistry()
    registry.unary(echo) { message, _ in framed(message) }
    registry.unary(zeros) { _, context in
      context.compressReply()
      return framed([UInt8](repeating: 0, count: 1_000))
    }
    registry.unary(fail) { _, context in
      context.setTrailer("cost", "12")
      throw ServiceError.runtime(.aborted, "naïve 50%\n")
    }
    registry.stream(chat) { requests, responses, _ in
      try await responses.send(framed([0]))
      var count: UInt8 = 0
      for try await _ in requests { count += 1 }
      for number in 1...count { try await responses.send(framed([number])) }
    }
    try await RPCFixture.run(limits: limits, registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      try await body(client, fixture)
      await client.close()
    }
  }

  @Test("An error before the first message is one block, its text percent-encoded")
  func trailersOnly() async throws {
    try await run { client, _ in
      let answer = try await client.call(WireClient.head(fail), RPCFraming.frame([]))
      #expect(answer.isTrailersOnly)
      #expect(answer.headers?.first(":status") == "200")
      #expect(answer.headers?.first("content-type") == "application/grpc")
      #expect(answer.status == .aborted)
      #expect(answer.message == "na%C3%AFve 50%25%0A")
      #expect(answer.headers?.first("cost") == "12")
      // Base64 without padding (grpc doc/PROTOCOL-HTTP2.md).
      let details = try #require(answer.headers?.first("grpc-status-details-bin"))
      #expect(!details.contains("="))
      let status = try GoogleRpc.Status(decoding: try #require(Base64.decode(details)))
      #expect(status.code == 10)
      #expect(status.message == "naïve 50%\n")
    }
  }

  @Test(
    "A reply is compressed only for a caller that takes it so",
    arguments: [("gzip", true), ("identity,gzip", true), ("identity", false), (nil, false)]
      as [(String?, Bool)]
  )
  func accepted(list: String?, isCompressed: Bool) async throws {
    try await run { client, _ in
      let head = WireClient.head(zeros, ["grpc-accept-encoding": list])
      let answer = try await client.call(head, RPCFraming.frame([]))
      #expect(answer.status == .ok)
      #expect(answer.headers?.first("grpc-encoding") == (isCompressed ? "gzip" : nil))
      #expect(answer.headers?.first("grpc-accept-encoding") == "identity,gzip")
      #expect(answer.body.first == (isCompressed ? 1 : 0))
      if !isCompressed { #expect(answer.body.count == 1_005) }
    }
  }

  @Test("Messages that are said to be identical to themselves are taken")
  func identity() async throws {
    try await run { client, _ in
      let head = WireClient.head(echo, ["grpc-encoding": "identity"])
      let answer = try await client.call(head, RPCFraming.frame([7]))
      #expect(answer.status == .ok)
      #expect(answer.body == RPCFraming.frame([7]))
    }
  }

  @Test("After the client has closed its half the handler goes on with the other")
  func halfClose() async throws {
    try await run { client, _ in
      let stream = try await client.start(WireClient.head(chat), end: false)
      await client.wait { stream.answer.body.count >= 6 }
      await client.send(RPCFraming.frame([1]), on: stream, end: false)
      await client.send(RPCFraming.frame([2]), on: stream, end: false)
      #expect(stream.answer.body == RPCFraming.frame([0]))
      #expect(!stream.answer.isEnded)
      await client.send([], on: stream, end: true)
      let answer = await client.answer(of: stream)
      #expect(answer.status == .ok)
      #expect(answer.body == [0, 1, 2].flatMap { RPCFraming.frame([$0]) })
      // The client has said all: there is nothing to cut off.
      #expect(answer.code == .noError)
    }
  }

  @Test("A message of 4 MiB is taken, one byte more is refused by whoever would receive it")
  func messageLimit() async throws {
    let limit = RPCLimits().maxReceiveMessageBytes
    #expect(limit == 4_194_304)
    var larger = RPCLimits()
    larger.maxReceiveMessageBytes = limit + 1
    let full = [UInt8](repeating: 1, count: limit)
    try await run { _, fixture in
      let reply = try await fixture.call(echo, full)
      #expect(reply == full)
      let refused = await #expect(throws: ServiceError.self) {
        try await fixture.call(echo, full + [1])
      }
      #expect(refused?.code == .resourceExhausted)
      #expect(refused?.message.contains("4194305") == true)
    }
    // Now only the reply is over its receiver's limit.
    try await run(limits: larger) { _, fixture in
      let refused = await #expect(throws: ServiceError.self) {
        try await fixture.call(echo, full + [1])
      }
      #expect(refused?.code == .resourceExhausted)
      let again = try await fixture.call(echo, [1])
      #expect(again == [1])
    }
  }
}
