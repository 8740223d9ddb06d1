import HTTP2
import Testing

@testable import RPC

@Suite("A client that resets its calls at once") struct HandlerLimitTests {
  @Test("It has no more handlers than one that waits, and gets new ones when these have ended")
  func cap() async throws {
    let stubborn = RPCFixture.method("Stubborn")
    let echo = RPCFixture.method("Echo")
    let started = Counter()
    let releases = (0..<4).map { _ in Signal() }
    var registry = MethodRegistry()
    registry.unary(stubborn) { _, _ in
      let release = releases[started.increment() - 1]
      // It does not look at its cancellation.
      await Task.detached { await release.wait() }.value
      return framed([])
    }
    registry.unary(echo) { message, _ in framed(message) }
    var limits = RPCLimits()
    limits.http2.maxConcurrentStreams = 4
    try await RPCFixture.run(limits: limits, registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      for count in 1...4 {
        let call = try await client.start(WireClient.head(stubborn), RPCFraming.frame([]))
        while started.value < count { await Task.yield() }
        await client.reset(call)
      }
      let refused = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      #expect(refused.code == .refusedStream)
      #expect(started.value == 4)
      for release in releases { release.fire() }
      var served = false
      while !served {
        let answer = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
        served = answer.status == .ok
      }
      await client.close()
    }
  }
}
