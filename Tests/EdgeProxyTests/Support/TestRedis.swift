import EventLoop
import Foundation
import Logging
import Redis
import Testing

extension Logger {
  /// Says nothing.
  static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// A client of the Redis server that `make test` has started.
enum TestRedis {
  static func url() throws -> String {
    try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_REDIS_URL"],
      "set ONESHOT_TEST_REDIS_URL, or run make test"
    )
  }

  /// Runs `body` with a client, which is closed afterwards; times are those of a busy machine.
  static func run(url: String? = nil, _ body: (RedisClient) async throws -> Void) async throws {
    let url = try url ?? Self.url()
    let group = try EventLoopGroup(count: 1)
    let client = try RedisClient(
      url: url,
      group: group,
      commandTimeout: .seconds(10),
      logger: .quiet
    )
    let result: Result<Void, any Error>
    do { result = .success(try await body(client)) } catch { result = .failure(error) }
    await client.shutdown()
    group.stop()
    try result.get()
  }
}
