import EventLoop
import Testing

@testable import RPC

private let eager = KeepaliveSettings(
  time: .milliseconds(5),
  timeout: .milliseconds(500),
  permitsWithoutCalls: true
)

@Suite("Keepalive") struct KeepaliveTests {
  private let method = RPCFixture.method("Echo")

  private func keepalive(permitsWithoutCalls: Bool = true) -> Keepalive {
    Keepalive(
      KeepaliveSettings(
        time: .seconds(10),
        timeout: .seconds(9),
        permitsWithoutCalls: permitsWithoutCalls
      )
    )
  }

  @Test("A silent peer is asked after a whole period, and given up when it does not answer")
  func silence() {
    var keepalive = keepalive()
    let actions = (0..<3).map { _ in keepalive.timerFired(hasCalls: true) }
    #expect(actions == [.rest(.seconds(10)), .ping(thenRest: .seconds(9)), .close])
  }

  @Test("Any byte is a sign of life, an answer to a ping or another")
  func heard() {
    var keepalive = keepalive()
    var actions: [Keepalive.Action] = []
    for _ in 0..<4 {
      actions.append(keepalive.timerFired(hasCalls: true))
      keepalive.heard()
    }
    #expect(actions.allSatisfy { $0 == .rest(.seconds(10)) })
    _ = keepalive.timerFired(hasCalls: true)
    let ping = keepalive.timerFired(hasCalls: true)
    #expect(ping == .ping(thenRest: .seconds(9)))
    keepalive.heard()
    let answered = keepalive.timerFired(hasCalls: true)
    #expect(answered == .rest(.seconds(10)))
  }

  @Test("Where connections without calls are left alone, a call begins the watch")
  func withoutCalls() {
    var keepalive = keepalive(permitsWithoutCalls: false)
    let idle = (0..<5).map { _ in keepalive.timerFired(hasCalls: false) }
    #expect(idle.allSatisfy { $0 == .rest(.seconds(10)) })
    let busy = keepalive.timerFired(hasCalls: true)
    #expect(busy == .ping(thenRest: .seconds(9)))
  }

  @Test("Between our services a vanished peer is noticed within 30 seconds")
  func bound() {
    let settings = KeepaliveSettings.services
    #expect(settings.time * 2 + settings.timeout < .seconds(30))
  }

  @Test("A peer that vanishes without a FIN fails its calls, long before their deadline")
  func vanished() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { $0.number == 1 ? .vanish : .reply([7]) }
      let channel = try fixture.channel(to: peer) { $0.keepalive = eager }
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(method, [], .timeout(.seconds(3_600)))
      }
      #expect(error?.code == .unavailable)
      #expect(error?.message == "the peer does not answer keepalive pings")
      var options = CallOptions.timeout(.seconds(60))
      options.waitForReady = true
      let reply = try await channel.call(method, [], options)
      #expect(reply == [7])
      #expect(peer.connections == 2)
      await channel.close()
    }
  }

  @Test("An idempotent call goes on elsewhere when its peer vanishes")
  func retried() async throws {
    let read = RPCFixture.method("Read", retry: .idempotent)
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { $0.number == 1 ? .vanish : .reply([7]) }
      let channel = try fixture.channel(to: peer) {
        $0.keepalive = eager
        $0.patience = .seconds(60)
      }
      let reply = try await channel.call(read, [], .timeout(.seconds(3_600)))
      #expect(reply == [7])
      await channel.close()
    }
  }

  @Test("A peer that answers pings may take as long for a call as its deadline allows")
  func alive() async throws {
    try await ClientFixture.run { fixture in
      let slow = RPCFixture.method("Slow")
      let peer = try await fixture.peer {
        $0.head.value(of: ":path") == "/test.Service/Slow" ? .silence : .reply([7])
      }
      let channel = try fixture.channel(to: peer) {
        $0.keepalive = eager
        $0.keepalive?.timeout = .seconds(60)
      }
      _ = try await channel.call(method)
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(slow, [], .timeout(.milliseconds(200)))
      }
      #expect(error?.code == .deadlineExceeded)
      let reply = try await channel.call(method)
      #expect(reply == [7])
      #expect(peer.connections == 1)
      await channel.close()
    }
  }

  @Test("A peer that complains about pings is asked half as often on its next connection")
  func complaint() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { $0.number == 1 ? .tooManyPings : .reply([7]) }
      var configuration = try Channel.Configuration(
        target: "\(peer.address)",
        serverName: "x",
        tls: nil
      )
      configuration.keepalive = .services
      let (events, continuation) = AsyncStream.makeStream(of: Subchannel.Event.self)
      let subchannel = Subchannel(
        SubchannelID(rawValue: 0),
        peer.address,
        loop: fixture.group.loops[0],
        settings: ChannelSettings(configuration)
      ) { continuation.yield($1) }
      await subchannel.connect()
      for await case .changed(.ready, let connection?) in events {
        let call = ClientCall(
          deadline: .now + .seconds(60),
          compression: nil,
          maxMessageBytes: 10,
          maxBuffered: 1
        )
        _ = await connection.start(call, method, CallOptions(), onlyMessage: framed([]))
        break
      }
      for await case .changed(.idle, _) in events { break }
      let settings = await subchannel.keepalive
      #expect(settings?.time == KeepaliveSettings.services.time * 2)
      await subchannel.close()
    }
  }
}
