import EventLoop
import Foundation
import Logging
import Testing

@testable import Postgres

/// A client on the test database with a schema of its own, gone after the test.
struct TestDatabase {
  let client: PostgresClient
  let group: EventLoopGroup
  let schema: String
  let url: String

  /// The database that `make test` has started.
  static func url() throws -> String {
    try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_DATABASE_URL"],
      "set ONESHOT_TEST_DATABASE_URL, or run make test"
    )
  }

  /// Runs `body` on a fresh schema.
  static func run(
    limits: PostgresLimits = PostgresLimits(),
    loops: Int = 1,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    let url = try url()
    let hex = UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: "")
    let schema = "test_" + hex
    let group = try EventLoopGroup(count: loops)
    let client = try PostgresClient(
      PostgresConfiguration(
        url: url,
        applicationName: schema,
        searchPath: schema,
        limits: limits
      ),
      group: group,
      logger: quiet
    )
    let database = TestDatabase(client: client, group: group, schema: schema, url: url)
    do {
      _ = try await client.query("CREATE SCHEMA \(unescaped: schema)")
      try await body(database)
    } catch {
      Issue.record("the test threw: \(error)")
    }
    let last = try await database.otherClient()
    _ = try? await last.query("DROP SCHEMA \(unescaped: schema) CASCADE")
    await last.shutdown()
    await client.shutdown()
    group.stop()
  }

  /// A second client, independent of the first; shut it down.
  func otherClient() async throws -> PostgresClient {
    var limits = PostgresLimits()
    limits.connectionsPerLoop = 1
    limits.acquireTimeout = .seconds(5)
    return try PostgresClient(
      PostgresConfiguration(
        url: url,
        applicationName: schema + "_other",
        searchPath: schema,
        limits: limits
      ),
      group: group,
      logger: Self.quiet
    )
  }

  /// A logger that says nothing: lost connections are what some tests are about.
  static var quiet: Logger {
    var logger = Logger(label: "postgres tests")
    logger.logLevel = .critical
    return logger
  }

  /// Runs `query` until its one number is `wanted`; the database itself waits in between.
  func wait(
    for wanted: Int,
    from query: PostgresQuery,
    on other: PostgresClient
  ) async throws {
    for _ in 0..<500 {
      let value = try await other.query(query).first?.decode(at: 0, as: Int.self)
      if value == wanted { return }
      _ = try await other.query("SELECT 1 FROM pg_sleep(0.01)")
    }
    Issue.record("never saw \(wanted) from \(query)")
  }

  /// Statements that contain `text` and run now, apart from the asking one.
  func running(_ text: String) -> PostgresQuery {
    """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = \(schema) AND state = 'active' AND query LIKE \("%" + text + "%")
    """
  }
}

/// Everything here shares one server, whose connections are few.
@Suite("Postgres", .serialized)
enum PostgresSuite {}
