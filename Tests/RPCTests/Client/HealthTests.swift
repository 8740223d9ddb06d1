import EventLoop
import HTTP2
import Net
import Testing

@testable import RPC

/// A server that counts its calls and says how it is.
private struct HealthyServer {
  static let method = RPCFixture.method("Echo")

  let server: RPCServer
  let health: HealthService
  let calls = Counter()

  init(_ group: EventLoopGroup, reply: [UInt8]) async throws {
    var registry = MethodRegistry()
    let counter = calls
    registry.unary(Self.method) { _, _ in
      counter.increment()
      return framed(reply)
    }
    health = HealthService(services: registry.serviceNames)
    registry.addStandardServices(health: health, reflection: false)
    server = try await RPCServer.start(
      .init(endpoint: .host("127.0.0.1", port: 0), tls: nil),
      registry: registry,
      group: group
    )
  }
}

@Suite("Health-aware picking", .timeLimit(.minutes(1))) struct HealthTests {
  private let method = HealthyServer.method
  private static let watchPath = "/grpc.health.v1.Health/Watch"

  private var patient: CallOptions {
    var options = CallOptions.timeout(.seconds(60))
    options.waitForReady = true
    return options
  }

  private func watched(_ service: String = "") -> ServiceConfig {
    var config = ServiceConfig()
    config.healthCheckService = service
    return config
  }

  @Test("A peer that does not serve gets no calls, one that does again gets its share")
  func picks() async throws {
    try await ClientFixture.run { fixture in
      let well = try await HealthyServer(fixture.group, reply: [1])
      let sick = try await HealthyServer(fixture.group, reply: [2])
      well.health.setAll(.serving)
      let channel = try fixture.channel("\(well.server.address),\(sick.server.address)") {
        $0.serviceConfig = watched("test.Service")
      }
      for _ in 0..<50 {
        let reply = try await channel.call(method, [], patient)
        #expect(reply == [1])
      }
      sick.health.setAll(.serving)
      while sick.calls.value == 0 { _ = try await channel.call(method, [], patient) }
      well.health.setAll(.notServing)
      // Calls may still reach it until its word has come.
      var replies: [[UInt8]] = []
      while replies.suffix(20).filter({ $0 == [2] }).count < 20 {
        replies.append(try await channel.call(method, [], patient))
      }
      await channel.close()
      for server in [well, sick] { await server.server.drain(timeout: .seconds(1)) }
    }
  }

  @Test("Calls fail with the reason when no peer serves, unless they wait for one")
  func nobody() async throws {
    try await ClientFixture.run { fixture in
      let sick = try await HealthyServer(fixture.group, reply: [1])
      let channel = try fixture.channel("\(sick.server.address)") { $0.serviceConfig = watched() }
      let error = await #expect(throws: ServiceError.self) { try await channel.call(method) }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("notServing") == true)
      async let waiting = channel.call(method, [], patient)
      sick.health.setAll(.serving)
      let reply = try await waiting
      #expect(reply == [1])
      await channel.close()
      await sick.server.drain(timeout: .seconds(1))
    }
  }

  @Test("A peer without the health service counts as healthy, and is asked once")
  func unimplemented() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer {
        $0.head.value(of: ":path") == Self.watchPath
          ? .trailersOnly(.unimplemented, []) : .reply([7])
      }
      let channel = try fixture.channel(to: peer) { $0.serviceConfig = watched() }
      for _ in 0..<20 {
        let reply = try await channel.call(method)
        #expect(reply == [7])
      }
      #expect(peer.requests.filter { $0.head.value(of: ":path") == Self.watchPath }.count == 1)
      await channel.close()
    }
  }

  @Test("A watch that fails is begun again; until then the peer gets no calls")
  func failingWatch() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer {
        guard $0.head.value(of: ":path") == Self.watchPath else { return .reply([7]) }
        return $0.number < 3 ? .trailersOnly(.internalError, []) : .trailersOnly(.unimplemented, [])
      }
      let channel = try fixture.channel(to: peer) { $0.serviceConfig = watched() }
      let reply = try await channel.call(method, [], patient)
      #expect(reply == [7])
      let paths = peer.requests.map { $0.head.value(of: ":path") }
      #expect(paths == [Self.watchPath, Self.watchPath, Self.watchPath, method.path])
      #expect(peer.connections == 1)
      await channel.close()
    }
  }

  @Test("A watch does not hold up the drain of its server")
  func drain() async throws {
    try await ClientFixture.run { fixture in
      let server = try await HealthyServer(fixture.group, reply: [1])
      server.health.setAll(.serving)
      let channel = try fixture.channel("\(server.server.address)") { $0.serviceConfig = watched() }
      _ = try await channel.call(method, [], patient)
      // Were the watch waited for, this would take an hour.
      await server.server.drain(timeout: .seconds(3_600))
      await channel.close()
    }
  }

  @Test("pick_first asks nobody")
  func pickFirst() async throws {
    try await ClientFixture.run { fixture in
      let sick = try await HealthyServer(fixture.group, reply: [1])
      let channel = try fixture.channel("\(sick.server.address)") {
        $0.serviceConfig = watched()
        $0.serviceConfig.loadBalancing = .pickFirst
      }
      let reply = try await channel.call(method)
      #expect(reply == [1])
      await channel.close()
      await sick.server.drain(timeout: .seconds(1))
    }
  }
}
