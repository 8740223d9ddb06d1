import Testing

@testable import RPC

@Suite("Health", .timeLimit(.minutes(1))) struct HealthServiceTests {
  private static let service = "oneshot.test.v1.Test"

  private func run(
    services: [String] = [service],
    _ body: (HealthService, GrpcHealth.HealthClient, RPCServer) async throws -> Void
  ) async throws {
    let health = HealthService(services: services)
    var registry = MethodRegistry()
    registry.addStandardServices(health: health, reflection: false)
    try await RPCFixture.run(registry) { fixture in
      try await body(health, GrpcHealth.HealthClient(fixture.channel), fixture.server)
    }
  }

  private func request(_ service: String) -> GrpcHealth.HealthCheckRequest {
    .with { $0.service = service }
  }

  @Test("Check says how the process and each service are, and NOT_FOUND for one it does not know")
  func check() async throws {
    try await run { health, client, _ in
      for name in ["", Self.service] {
        let before = try await client.check(request(name)).status
        #expect(before == .notServing)
      }
      health.set(Self.service, .serving)
      let one = try await client.check(request(Self.service)).status
      #expect(one == .serving)
      let whole = try await client.check(request("")).status
      #expect(whole == .notServing)
      let unknown = await #expect(throws: ServiceError.self) {
        try await client.check(request("oneshot.test.v1.Nothing"))
      }
      #expect(unknown?.code == .notFound)
    }
  }

  @Test("List names every service with its status, at most a hundred")
  func list() async throws {
    try await run { health, client, _ in
      health.set(Self.service, .serving)
      let listed = try await client.list(.init()).statuses
      #expect(listed.mapValues(\.status) == ["": .notServing, Self.service: .serving])
      // The empty name and the service are two of them.
      for number in 0..<98 { health.set("service\(number)", .serving) }
      let full = try await client.list(.init()).statuses.count
      #expect(full == 100)
      health.set("one more", .serving)
      let tooMany = await #expect(throws: ServiceError.self) { try await client.list(.init()) }
      #expect(tooMany?.code == .resourceExhausted)
    }
  }

  @Test("Watch says the status at once and at each change, and nothing in between")
  func watch() async throws {
    try await run { health, client, _ in
      var statuses = try await client.watch(request(Self.service)).makeAsyncIterator()
      let first = try await statuses.next()?.status
      #expect(first == .notServing)
      health.setAll(.notServing)
      health.set(Self.service, .serving)
      let second = try await statuses.next()?.status
      #expect(second == .serving)
      // Neither the same again nor another service's is news.
      health.setAll(.serving)
      health.set("", .notServing)
      health.set(Self.service, .notServing)
      let third = try await statuses.next()?.status
      #expect(third == .notServing)
    }
  }

  @Test("A watch of an unknown service stays open until the service is known, and after it is gone")
  func unknown() async throws {
    try await run { health, client, _ in
      var statuses = try await client.watch(request("later")).makeAsyncIterator()
      let first = try await statuses.next()?.status
      #expect(first == .serviceUnknown)
      health.set("later", .serving)
      let second = try await statuses.next()?.status
      #expect(second == .serving)
      health.set("later", nil)
      let third = try await statuses.next()?.status
      #expect(third == .serviceUnknown)
    }
  }

  @Test(
    "Shutting down is said to all, ends the watches and is final, so that a drain waits for none"
  )
  func shutDown() async throws {
    try await run { health, client, server in
      health.setAll(.serving)
      var statuses = try await client.watch(request(""), options: .timeout(.seconds(3_600)))
        .makeAsyncIterator()
      let first = try await statuses.next()?.status
      #expect(first == .serving)
      health.shutDown()
      health.setAll(.serving)
      let last = try await statuses.next()?.status
      #expect(last == .notServing)
      let end = await #expect(throws: ServiceError.self) { try await statuses.next() }
      #expect(end?.code == .unavailable)
      var late = try await client.watch(request("")).makeAsyncIterator()
      let lateStatus = try await late.next()?.status
      #expect(lateStatus == .notServing)
      await #expect(throws: ServiceError.self) { try await late.next() }
      // Were a watch waited for, this would take an hour.
      await server.drain(timeout: .seconds(3_600))
    }
  }
}
