import EventLoop
import Foundation
import Logging
import Testing

@testable import Redis

/// A client on the test server, with a prefix for the keys of one test.
struct TestRedis {
  let client: RedisClient
  let group: EventLoopGroup
  let prefix: String
  let url: String

  /// The server that `make test` has started.
  static func url() throws -> String {
    try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_REDIS_URL"],
      "set ONESHOT_TEST_REDIS_URL, or run make test"
    )
  }

  /// Times that a busy machine keeps, for tests that are not about time.
  static var patient: RedisLimits {
    var limits = RedisLimits()
    limits.commandTimeout = .seconds(10)
    limits.scriptTimeout = .seconds(10)
    limits.connectTimeout = .seconds(10)
    limits.stallTimeout = .seconds(10)
    return limits
  }

  /// Runs `body` and removes the test's keys.
  static func run(
    url: String? = nil,
    limits: RedisLimits = patient,
    loops: Int = 1,
    _ body: (TestRedis) async throws -> Void
  ) async throws {
    let url = try url ?? Self.url()
    let group = try EventLoopGroup(count: loops)
    let client = try RedisClient(url: url, group: group, limits: limits, logger: quiet)
    let redis = TestRedis(
      client: client,
      group: group,
      prefix: "test:\(UUID().uuidString):",
      url: url
    )
    do {
      try await body(redis)
    } catch {
      Issue.record("the test threw: \(error)")
    }
    let keys = try? await client.command("KEYS", redis.prefix + "*").array
    for key in keys ?? [] { _ = try? await client.command("DEL", key.bytes ?? []) }
    await client.shutdown()
    group.stop()
  }

  func key(_ name: String) -> String { prefix + name }

  /// Asks again and again until the answer is right; the server itself waits in between.
  func wait(_ what: String, _ condition: () async -> Bool) async throws {
    for _ in 0..<500 {
      if await condition() { return }
      // BLPOP on a key that nobody writes is a pause of the server's own clock.
      _ = try? await client.command("BLPOP", key("pause"), "0.01")
    }
    Issue.record("never saw \(what)")
  }

  /// A logger that says nothing: lost connections are what some tests are about.
  static var quiet: Logger {
    var logger = Logger(label: "redis tests")
    logger.logLevel = .critical
    return logger
  }
}

/// Some tests end connections of the server they share.
@Suite("Redis", .serialized)
enum RedisSuite {}
