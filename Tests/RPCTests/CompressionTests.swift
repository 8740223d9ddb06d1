import Gzip
import Testing

@testable import RPC

@Suite("Compressed messages") struct CompressionTests {
  private let echo = RPCFixture.method("Echo")
  private let chat = RPCFixture.method("Chat", .bidirectional)
  /// What compresses well, and what does not.
  private let zeros = [UInt8](repeating: 0, count: 10_000)

  /// Echo answers compressed when the message begins with 1, and says behind it how it came.
  private func registry() -> MethodRegistry {
    var registry = MethodRegistry()
    registry.unary(echo) { message, context in
      if message.first == 1 { context.compressReply() }
      return framed(message + [context.wasRequestCompressed ? 1 : 0])
    }
    registry.stream(chat) { requests, responses, context in
      context.compressReply()
      for try await message in requests {
        let note: UInt8 = context.wasRequestCompressed ? 1 : 0
        try await responses.send(framed(message + [note]), compress: message.first == 1)
      }
    }
    return registry
  }

  @Test(
    "Each direction is compressed when its sender wants it",
    arguments: [false, true],
    [false, true]
  )
  func unary(request: Bool, reply: Bool) async throws {
    try await RPCFixture.run(registry()) { fixture in
      let answer = try await fixture.channel.unaryReply(
        echo,
        framed([reply ? 1 : 0] + zeros),
        options: CallOptions(compression: request ? .gzip : nil)
      )
      #expect(answer.message == [reply ? 1 : 0] + zeros + [request ? 1 : 0])
      #expect(answer.wasCompressed == reply)
    }
  }

  @Test("On a stream each message is compressed or not")
  func stream() async throws {
    try await RPCFixture.run(registry()) { fixture in
      let stream = try await fixture.channel.openStream(
        chat,
        options: CallOptions(compression: .gzip)
      )
      var replies = stream.makeAsyncIterator()
      for (request, reply) in [(true, true), (true, false), (false, true), (false, false)] {
        try await stream.send(framed([reply ? 1 : 0] + zeros), compress: request)
        let message = try await replies.next()
        #expect(message == [reply ? 1 : 0] + zeros + [request ? 1 : 0])
        #expect(await stream.wasCompressed == reply)
      }
      await stream.finishSending()
      let last = try await replies.next()
      #expect(last == nil)
    }
  }

  @Test("A message that gzip makes no smaller travels as it is")
  func incompressible() async throws {
    try await RPCFixture.run(registry()) { fixture in
      let reply = try await fixture.channel.unaryReply(
        echo,
        framed([1]),
        options: CallOptions(compression: .gzip)
      )
      #expect(reply.message == [1, 0])
      #expect(!reply.wasCompressed)
    }
  }

  @Test("The limit of a message holds for its inflated size, in both directions")
  func limit() async throws {
    var limits = RPCLimits()
    limits.maxReceiveMessageBytes = 10_000
    let grow = RPCFixture.method("Grow")
    var registry = registry()
    registry.unary(grow) { _, context in
      context.compressReply()
      return framed([UInt8](repeating: 0, count: 10_001))
    }
    try await RPCFixture.run(limits: limits, registry) { fixture in
      let options = CallOptions(compression: .gzip)
      let request = await #expect(throws: ServiceError.self) {
        try await fixture.call(echo, [UInt8](repeating: 0, count: 10_001), options)
      }
      #expect(request?.code == .resourceExhausted)
      let within = try await fixture.call(echo, [UInt8](repeating: 0, count: 10_000), options)
      #expect(within.count == 10_001)
      var configuration = try Channel.Configuration(
        target: fixture.server.address.description,
        serverName: "jobs",
        tls: nil
      )
      configuration.limits = limits
      let channel = Channel(configuration, group: fixture.group)
      let reply = await #expect(throws: ServiceError.self) {
        try await channel.unary(grow, framed([]))
      }
      #expect(reply?.code == .resourceExhausted)
      await channel.close()
    }
  }

  @Test(
    "Lists of accepted encodings are read as the protocol writes them",
    arguments: [
      ("gzip", true), ("identity,deflate, gzip", true), ("identity, gzip ,x", true),
      ("identity", false), ("gzipped", false), ("", false), (nil, false),
    ] as [(String?, Bool)]
  )
  func accepted(list: String?, isAccepted: Bool) {
    #expect(Compression.gzip.isAccepted(by: list) == isAccepted)
  }
}
