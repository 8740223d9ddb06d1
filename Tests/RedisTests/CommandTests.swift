import EventLoop
import Testing

@testable import Redis

extension RedisSuite {
  @Suite("Commands")
  struct CommandTests {
    @Test("Text, numbers and any bytes come back as they were sent")
    func values() async throws {
      try await TestRedis.run { redis in
        let (client, key) = (redis.client, redis.key("a"))
        #expect(try await client.command("SET", key, "ü\r\n$5") == .status("OK"))
        #expect(try await client.command("GET", key).text == "ü\r\n$5")
        let bytes: [UInt8] = [0, 13, 10, 255, 0]
        _ = try await client.command("SET", key, bytes)
        #expect(try await client.command("GET", key).bytes == bytes)
        _ = try await client.command("SET", key, -42)
        #expect(try await client.command("INCR", key).integer == -41)
        #expect(try await client.command("GET", redis.key("none")).isNull)
        _ = try await client.command("RPUSH", redis.key("l"), 1, 2, 3)
        #expect(try await client.command("LRANGE", redis.key("l"), 0, -1).integers == [1, 2, 3])
        #expect(try await client.command("SET", key, "").text == "OK")
        #expect(try await client.command("GET", key).text == "")
      }
    }

    @Test("Values beyond what a socket takes at once come back whole, among others")
    func large() async throws {
      try await TestRedis.run { redis in
        let (client, key) = (redis.client, redis.key("a"))
        let bytes = [UInt8](unsafeUninitializedCapacity: 16 << 20) { buffer, count in
          for index in buffer.indices {
            buffer[index] = UInt8(truncatingIfNeeded: index &* 31 >> 3)
          }
          count = buffer.count
        }
        async let stored = client.command("SET", key, bytes)
        async let echo = client.command("ECHO", "small")
        #expect(try await stored == .status("OK"))
        #expect(try await echo.text == "small")
        let isSame = try await client.command("GET", key).bytes == bytes
        #expect(isSame)
      }
    }

    @Test("An error answer is thrown with its code and without the arguments")
    func error() async throws {
      try await TestRedis.run { redis in
        _ = try await redis.client.command("SET", redis.key("a"), "secret")
        let error = await #expect(throws: RedisError.self) {
          try await redis.client.command("LPUSH", redis.key("a"), "secret")
        }
        #expect(error?.kind == .server)
        #expect(error?.message.hasPrefix("WRONGTYPE") == true)
        #expect(error?.description.contains("secret") == false)
      }
    }

    @Test("4,000 commands at once get each its own answer")
    func many() async throws {
      try await TestRedis.run(loops: 2) { redis in
        let client = redis.client
        // One for each loop: the connections are open afterwards.
        for _ in 0..<2 { _ = try await client.command("PING") }
        let right = try await withThrowingTaskGroup(of: Bool.self) { group in
          for number in 0..<4_000 {
            group.addTask {
              try await client.command("ECHO", String(number)).text == String(number)
            }
          }
          return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(right == 4_000)
      }
    }

    @Test("Commands that would change the mode of the connection are refused")
    func modes() async throws {
      try await TestRedis.run { redis in
        for name in ["SUBSCRIBE", "psubscribe", "Monitor", "SELECT", "UNSUBSCRIBE"] {
          let error = await #expect(throws: RedisError.self) {
            try await redis.client.command(name, "1")
          }
          #expect(error?.kind == .configuration)
        }
      }
    }

    @Test("A script answers what it returns, also after the server has forgotten it")
    func script() async throws {
      try await TestRedis.run { redis in
        let script = RedisScript(
          "redis.call('SET', KEYS[1], ARGV[1]) return {ARGV[2], #KEYS, redis.call('GET', KEYS[1])}"
        )
        for round in 0..<3 {
          let value = try await redis.client.run(
            script,
            keys: [redis.key("a")],
            arguments: [round, 7]
          )
          #expect(value.integers == [7, 1, round])
          _ = try await redis.client.command("SCRIPT", "FLUSH")
        }
      }
    }

    @Test("A script that fails says why")
    func scriptError() async throws {
      try await TestRedis.run { redis in
        let error = await #expect(throws: RedisError.self) {
          try await redis.client.run(RedisScript("return nonsense.x"), keys: [])
        }
        #expect(error?.kind == .server)
      }
    }

    @Test("The database of the URL is selected, and the socket of the server serves as well")
    func databaseAndSocket() async throws {
      let url = try TestRedis.url()
      let base = url.split(separator: "/", omittingEmptySubsequences: false).prefix(3)
      try await TestRedis.run(url: base.joined(separator: "/") + "/3") { redis in
        let info = try await redis.client.command("CLIENT", "INFO").text ?? ""
        #expect(info.contains(" db=3 "))
        let path = try await redis.client.command("CONFIG", "GET", "unixsocket").array?.last?.text
        guard let path, !path.isEmpty else { return }
        let login = url.contains("@") ? url.dropFirst(8).prefix { $0 != "@" } + "@" : ""
        try await TestRedis.run(url: "unix://\(login)\(path)?db=3") { other in
          let info = try await other.client.command("CLIENT", "INFO").text ?? ""
          #expect(info.contains(" db=3 ") && info.contains(path))
        }
      }
    }
  }
}
