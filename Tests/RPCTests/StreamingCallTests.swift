import EventLoop
import Testing

@testable import RPC

@Suite("Streaming calls") struct StreamingCallTests {
  private let download = RPCFixture.method("Download", .serverStreaming)
  private let upload = RPCFixture.method("Upload", .clientStreaming)
  private let chat = RPCFixture.method("Chat", .bidirectional)

  @Test("A server stream arrives in order and ends")
  func serverStream() async throws {
    var registry = MethodRegistry()
    registry.stream(download) { requests, responses, _ in
      for try await message in requests {
        for index in 0..<500 { try await responses.send(framed(message + [UInt8(index & 255)])) }
      }
    }
    try await RPCFixture.run(tls: true, registry) { fixture in
      let stream = try await fixture.channel.openStream(download)
      try await stream.send(framed([42]))
      await stream.finishSending()
      var received: [[UInt8]] = []
      for try await message in stream { received.append(message) }
      #expect(received == (0..<500).map { [42, UInt8($0 & 255)] })
    }
  }

  @Test("A client stream is counted to its end")
  func clientStream() async throws {
    var registry = MethodRegistry()
    registry.stream(upload) { requests, responses, _ in
      var bytes = 0
      for try await message in requests { bytes += message.count }
      try await responses.send(framed(withUnsafeBytes(of: bytes) { Array($0) }))
    }
    try await RPCFixture.run(registry) { fixture in
      let stream = try await fixture.channel.openStream(upload)
      for _ in 0..<300 { try await stream.send(framed([UInt8](repeating: 1, count: 10_000))) }
      await stream.finishSending()
      var replies: [[UInt8]] = []
      for try await message in stream { replies.append(message) }
      #expect(replies == [withUnsafeBytes(of: 3_000_000) { Array($0) }])
    }
  }

  @Test("Both directions go on at once")
  func bidirectional() async throws {
    var registry = MethodRegistry()
    registry.stream(chat) { requests, responses, _ in
      for try await message in requests { try await responses.send(framed(message)) }
    }
    try await RPCFixture.run(registry) { fixture in
      let stream = try await fixture.channel.openStream(chat)
      var iterator = stream.makeAsyncIterator()
      for index in 0..<100 {
        try await stream.send(framed([UInt8(index)]))
        let secondReply = try await iterator.next()
        #expect(secondReply == [UInt8(index)])
      }
      await stream.finishSending()
      let thirdReply = try await iterator.next()
      #expect(thirdReply == nil)
    }
  }

  @Test("A slow reader holds the producer back")
  func backPressure() async throws {
    let produced = Counter()
    var registry = MethodRegistry()
    registry.stream(download) { _, responses, _ in
      let chunk = [UInt8](repeating: 1, count: 16_000)
      for _ in 0..<1_000 {
        try await responses.send(framed(chunk))
        produced.increment()
      }
    }
    var limits = RPCLimits()
    limits.http2.streamWindow = 65_535
    try await RPCFixture.run(limits: limits, registry) { fixture in
      let stream = try await fixture.channel.openStream(download)
      await stream.finishSending()
      var count = 0
      var iterator = stream.makeAsyncIterator()
      _ = try await iterator.next()
      count += 1
      // 16 messages may wait here, a window and the high-water mark at the sender.
      #expect(produced.value < 200)
      while try await iterator.next() != nil { count += 1 }
      #expect(count == 1_000)
    }
  }

  @Test("An error after some messages arrives after them")
  func errorAtEnd() async throws {
    var registry = MethodRegistry()
    registry.stream(download) { _, responses, _ in
      try await responses.send(framed([1]))
      throw ServiceError.runtime(.aborted, "enough")
    }
    try await RPCFixture.run(registry) { fixture in
      let stream = try await fixture.channel.openStream(download)
      await stream.finishSending()
      var iterator = stream.makeAsyncIterator()
      let fourthReply = try await iterator.next()
      #expect(fourthReply == [1])
      let error = await #expect(throws: ServiceError.self) { try await iterator.next() }
      #expect(error?.code == .aborted)
    }
  }

  @Test("A handler's trailers arrive with the status, whatever it is", arguments: [0, 1, 2])
  func trailers(messages: Int) async throws {
    var registry = MethodRegistry()
    registry.stream(download) { _, responses, context in
      context.setTrailer("x-late-bin", "q6ur")
      for _ in 0..<messages { try await responses.send(framed([1])) }
      if messages != 1 { throw ServiceError.runtime(.aborted, "enough") }
    }
    try await RPCFixture.run(registry) { fixture in
      let stream = try await fixture.channel.openStream(download)
      await stream.finishSending()
      var received = 0
      do {
        for try await _ in stream { received += 1 }
        #expect(messages == 1)
      } catch {
        #expect((error as? ServiceError)?.code == .aborted)
      }
      #expect(received == messages)
      let trailers = await stream.trailers
      #expect(trailers.binary("x-late-bin") == [0xab, 0xab, 0xab])
    }
  }

  @Test("A client that goes away ends the handler's stream")
  func clientGoes() async throws {
    let ended = Signal()
    var registry = MethodRegistry()
    registry.stream(chat) { requests, responses, _ in
      defer { ended.fire() }
      try await responses.send(framed([1]))
      for try await _ in requests {}
    }
    try await RPCFixture.run(registry) { fixture in
      let stream = try await fixture.channel.openStream(chat)
      var iterator = stream.makeAsyncIterator()
      let fifthReply = try await iterator.next()
      #expect(fifthReply == [1])
      await stream.cancel()
      await ended.wait()
    }
  }

  @Test("A stream that nobody reads to its end is forgotten when it has ended")
  func unreadEnd() async throws {
    var registry = MethodRegistry()
    registry.stream(download) { _, responses, _ in
      try await responses.send(framed([1]))
    }
    try await RPCFixture.run(registry) { fixture in
      var connection: ClientConnection?
      for _ in 0..<50 {
        let stream = try await fixture.channel.openStream(download)
        await stream.finishSending()
        var iterator = stream.makeAsyncIterator()
        let message = try await iterator.next()
        #expect(message == [1])
        connection = await stream.stream.connection
      }
      let stream = try await fixture.channel.openStream(download)
      for try await _ in stream {}
      // Trailers of the calls before have come by now, but perhaps those of the very last.
      let left = try #require(await connection?.openCalls)
      #expect(left <= 2)
    }
  }
}
