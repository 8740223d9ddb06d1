import HTTP2
import Testing

@testable import RPC

@Suite("A server whose client does not take its answers") struct SendLimitTests {
  private let echo = RPCFixture.method("Echo")
  private let download = RPCFixture.method("Download", .serverStreaming)

  /// Two answers to a PING: what was sent before is done, and what followed from it.
  private func settle(_ client: WireClient) async {
    for round in 1...2 {
      await client.ping()
      await client.waitForPongs(round)
    }
  }

  private func run(
    limits: RPCLimits,
    _ registry: MethodRegistry,
    _ body: (WireClient) async throws -> Void
  ) async throws {
    try await RPCFixture.run(limits: limits, registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      try await body(client)
      await client.close()
    }
  }

  @Test("Calls wait while too many bytes of answers do, and go on when these are taken")
  func parked() async throws {
    let calls = Counter()
    var registry = MethodRegistry()
    registry.unary(echo) { message, _ in
      let isFirst = calls.increment() == 1
      return framed(isFirst ? [UInt8](repeating: 1, count: 1 << 20) : message)
    }
    var limits = RPCLimits()
    // More waits at first, and less when the client has taken its first window.
    limits.http2.connectionSendLimit = 640 * 1_024
    try await run(limits: limits, registry) { client in
      let slow = try await client.start(WireClient.head(echo), RPCFraming.frame([]))
      // A stream's window: the rest waits at the server.
      let window = Int(HTTP2Limits().streamWindow)
      await client.wait { slow.answer.body.count == window }
      let second = try await client.start(WireClient.head(echo), RPCFraming.frame([2]))
      await settle(client)
      #expect(calls.value == 1)
      await client.consume(slow)
      let answer = await client.answer(of: second)
      #expect(answer.body == RPCFraming.frame([2]))
      #expect(answer.status == .ok)
      #expect(calls.value == 2)
    }
  }

  @Test("One large answer to a slow reader does not hold up the other calls of its connection")
  func beside() async throws {
    var registry = MethodRegistry()
    registry.unary(echo) { message, _ in
      framed(message == [0] ? [UInt8](repeating: 1, count: 4 << 20) : message)
    }
    try await run(limits: RPCLimits(), registry) { client in
      let slow = try await client.start(WireClient.head(echo), RPCFraming.frame([0]))
      await client.wait { slow.answer.body.count > 0 }
      let other = try await client.call(WireClient.head(echo), RPCFraming.frame([2]))
      #expect(other.status == .ok)
      #expect(!slow.answer.isEnded)
    }
  }

  @Test("Producers of many streams share what one connection may queue")
  func shared() async throws {
    let message = [UInt8](repeating: 1, count: 8_000)
    let produced = Counter()
    var registry = MethodRegistry()
    registry.stream(download) { _, responses, _ in
      while true {
        try await responses.send(framed(message))
        produced.increment()
      }
    }
    var limits = RPCLimits()
    limits.http2.connectionSendHighWater = 128 * 1_024
    let streams = 40
    try await run(limits: limits, registry) { client in
      var opened: [WireStream] = []
      for _ in 0..<streams {
        opened.append(try await client.start(WireClient.head(download), RPCFraming.frame([])))
      }
      let window = Int(HTTP2Limits().connectionWindow)
      let all = opened
      await client.wait { all.reduce(0) { $0 + $1.answer.body.count } == window }
      await settle(client)
      // What is over the share when the mark is passed, and one message more for each.
      let most =
        window + limits.http2.connectionSendHighWater
        + streams * (limits.http2.sendShare + message.count)
      let queued = produced.value * message.count
      #expect(queued < most)
      #expect(most < window + streams * limits.http2.sendHighWater)
    }
  }
}
