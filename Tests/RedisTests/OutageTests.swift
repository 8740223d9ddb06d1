import EventLoop
import Testing

@testable import Redis

extension RedisSuite {
  @Suite("Outages")
  struct OutageTests {
    /// Room for a busy machine above the time that was asked for.
    private let slack: Duration = .milliseconds(500)

    private func client(
      _ url: String,
      _ group: EventLoopGroup,
      _ change: (inout RedisLimits) -> Void = { _ in }
    ) throws -> RedisClient {
      var limits = RedisLimits()
      change(&limits)
      return try RedisClient(url: url, group: group, limits: limits, logger: TestRedis.quiet)
    }

    private func failure(
      of client: RedisClient,
      timeout: Duration
    ) async -> (RedisError?, Duration) {
      let start = ContinuousClock.now
      let error = await #expect(throws: RedisError.self) {
        try await client.command("PING", timeout: timeout)
      }
      return (error, ContinuousClock.now - start)
    }

    @Test("A refused connection fails commands at once")
    func refused() async throws {
      let group = try EventLoopGroup(count: 1)
      let client = try client("redis://127.0.0.1:1", group)
      for _ in 0..<3 {
        let (error, taken) = await failure(of: client, timeout: .seconds(5))
        #expect(error?.kind == .unavailable)
        #expect(error?.message.contains("refused") == true)
        #expect(taken < slack)
      }
      await client.shutdown()
      group.stop()
    }

    @Test("A missing socket fails commands at once")
    func missingSocket() async throws {
      let group = try EventLoopGroup(count: 1)
      let client = try client("unix:///nowhere/redis.sock", group)
      let (error, taken) = await failure(of: client, timeout: .seconds(5))
      #expect(error?.kind == .unavailable)
      #expect(taken < slack)
      await client.shutdown()
      group.stop()
    }

    @Test("A server that never answers holds nobody longer than the timeout", arguments: [0, 1])
    func hung(_ answers: Int) async throws {
      let server = try SilentServer(answers: answers)
      let group = try EventLoopGroup(count: 1)
      let client = try client("redis://127.0.0.1:\(server.port)", group)
      for _ in 0..<5 {
        let (error, taken) = await failure(of: client, timeout: .milliseconds(20))
        #expect(error?.kind == .timeout || error?.kind == .unavailable)
        #expect(taken < .milliseconds(20) + slack)
      }
      await client.shutdown()
      server.close()
      group.stop()
    }

    @Test("A connection that has stopped answering is dropped, then commands fail at once")
    func stalled() async throws {
      let server = try SilentServer(answers: 1)
      let group = try EventLoopGroup(count: 1)
      let client = try client("redis://127.0.0.1:\(server.port)", group) {
        $0.stallTimeout = .milliseconds(30)
      }
      var kinds: [RedisError.Kind] = []
      while kinds.count < 100, kinds.last != .connectionLost, kinds.last != .unavailable {
        let (error, _) = await failure(of: client, timeout: .milliseconds(20))
        if let error { kinds.append(error.kind) }
      }
      #expect(kinds.first == .timeout)
      #expect(kinds.last == .unavailable || kinds.last == .connectionLost)
      await client.shutdown()
      server.close()
      group.stop()
    }

    @Test("A connection that was ended is restored")
    func restored() async throws {
      try await TestRedis.run { redis in
        let group = redis.group
        let client = try client(redis.url, group) { $0.commandTimeout = .seconds(5) }
        for _ in 0..<3 {
          var id: Int?
          try await redis.wait("the connection") {
            id = try? await client.command("CLIENT", "ID").integer
            return id != nil
          }
          _ = try await redis.client.command("CLIENT", "KILL", "ID", id ?? 0)
        }
        try await redis.wait("the connection") { (try? await client.command("PING")) != nil }
        await client.shutdown()
      }
    }

    @Test("Commands under way when the connection ends fail as lost")
    func lost() async throws {
      try await TestRedis.run { redis in
        let client = try client(redis.url, redis.group)
        let id = try await client.command("CLIENT", "ID", timeout: .seconds(5)).integer ?? 0
        async let waiting = client.command("BLPOP", redis.key("none"), 0, timeout: .seconds(30))
        try await redis.wait("the blocked command") {
          let list = try? await redis.client.command("CLIENT", "LIST", "ID", id).text
          return list?.contains("cmd=blpop") == true
        }
        _ = try await redis.client.command("CLIENT", "KILL", "ID", id)
        do {
          _ = try await waiting
          Issue.record("the command did not fail")
        } catch {
          #expect((error as? RedisError)?.kind == .connectionLost)
        }
        await client.shutdown()
      }
    }

    @Test("Beyond the limit of commands in flight the next is refused at once")
    func overloaded() async throws {
      try await TestRedis.run { redis in
        let client = try client(redis.url, redis.group) { $0.commandsInFlight = 0 }
        // Those that waited for the connection are not refused for it.
        _ = try await client.command("PING", timeout: .seconds(5))
        let (error, _) = await failure(of: client, timeout: .seconds(5))
        #expect(error?.kind == .overloaded)
        await client.shutdown()
      }
    }

    @Test("A refused login is unavailable with the server's words, and without the password")
    func login() async throws {
      let url = try TestRedis.url()
      let rest = url.split(separator: "@").last?.split(separator: "/").dropFirst().first
      let address = try #require(url.contains("@") ? url.split(separator: "@").last : rest)
      let group = try EventLoopGroup(count: 1)
      let client = try client("redis://nobody:secret@\(address)", group)
      let (error, _) = await failure(of: client, timeout: .seconds(5))
      #expect(error?.kind == .unavailable)
      #expect(error?.message.contains("secret") == false)
      await client.shutdown()
      group.stop()
    }

    @Test("After shutdown commands are refused")
    func shutdown() async throws {
      try await TestRedis.run { redis in
        let client = try client(redis.url, redis.group)
        _ = try? await client.command("PING")
        await client.shutdown()
        let (error, _) = await failure(of: client, timeout: .seconds(5))
        #expect(error?.kind == .closed)
      }
    }
  }
}
