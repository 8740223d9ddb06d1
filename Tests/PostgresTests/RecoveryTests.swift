import EventLoop
import Testing

@testable import Postgres

extension PostgresSuite {
  @Suite("Recovery")
  struct RecoveryTests {
    private func terminateAll(_ database: TestDatabase, _ other: PostgresClient) async throws {
      _ = try await other.query(
        """
        SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
        WHERE application_name = \(database.schema)
        """
      )
    }

    @Test("Sessions that the server ended are replaced")
    func terminated() async throws {
      try await TestDatabase.run { database in
        let (client, other) = (database.client, try await database.otherClient())
        for _ in 0..<3 {
          _ = try await client.query("SELECT 1", idempotent: true)
          try await terminateAll(database, other)
          let start = ContinuousClock.now
          #expect(try await client.query("SELECT 2", idempotent: true).count == 1)
          #expect(ContinuousClock.now - start < .seconds(15))
        }
        await other.shutdown()
      }
    }

    @Test("A statement that was under way fails, unless it is idempotent")
    func underWay() async throws {
      try await TestDatabase.run { database in
        let (client, other) = (database.client, try await database.otherClient())
        _ = try await client.query("CREATE SEQUENCE runs")
        async let plain = client.query(
          "SELECT nextval('runs') FROM pg_sleep(21)",
          timeout: .seconds(30)
        )
        try await database.wait(for: 1, from: database.running("pg_sleep(21)"), on: other)
        try await terminateAll(database, other)
        do {
          _ = try await plain
          Issue.record("the statement did not fail")
        } catch let error as PostgresError {
          #expect(error.kind == .connectionLost)
          #expect(error.isUnavailable)
        }
        async let repeated = client.query(
          "SELECT 1 FROM pg_sleep(0.5)",
          timeout: .seconds(30),
          idempotent: true
        )
        try await database.wait(for: 1, from: database.running("pg_sleep(0.5)"), on: other)
        try await terminateAll(database, other)
        #expect(try await repeated.count == 1)
        await other.shutdown()
      }
    }

    @Test("A transaction whose connection ends before COMMIT runs again")
    func transaction() async throws {
      try await TestDatabase.run { database in
        let (client, other) = (database.client, try await database.otherClient())
        _ = try await client.query("CREATE TABLE t (id bigint)")
        var attempts = 0
        try await client.transaction { transaction in
          attempts = transaction.attempt
          _ = try await transaction.query("INSERT INTO t VALUES (1)")
          if transaction.attempt == 1 { try await terminateAll(database, other) }
          _ = try await transaction.query("INSERT INTO t VALUES (2)")
        }
        #expect(attempts == 2)
        #expect(try await client.query("SELECT id FROM t").count == 2)
        await other.shutdown()
      }
    }

    @Test("A connection that ends between the last statement and COMMIT is such a one")
    func beforeCommit() async throws {
      try await TestDatabase.run { database in
        let (client, other) = (database.client, try await database.otherClient())
        _ = try await client.query("CREATE TABLE t (id bigint)")
        var attempts = 0
        try await client.transaction { transaction in
          attempts = transaction.attempt
          _ = try await transaction.query("INSERT INTO t VALUES (1)")
          guard transaction.attempt == 1 else { return }
          try await terminateAll(database, other)
          // A statement of the pool's other connection: its loop has seen the end by then.
          _ = try await client.query("SELECT 1", idempotent: true)
        }
        #expect(attempts == 2)
        #expect(try await client.query("SELECT id FROM t").count == 1)
        await other.shutdown()
      }
    }

    @Test("A server that refuses connections is unavailable within a second")
    func refused() async throws {
      try await TestDatabase.run { database in
        let client = try PostgresClient(
          PostgresConfiguration(url: "postgres://nobody@127.0.0.1:1/none"),
          group: database.group,
          logger: TestDatabase.quiet
        )
        let start = ContinuousClock.now
        let error = await #expect(throws: PostgresError.self) { try await client.query("SELECT 1") }
        #expect(error?.kind == .unavailable)
        #expect(error?.description.contains("refused") == true)
        #expect(ContinuousClock.now - start < .seconds(15))
        await client.shutdown()
      }
    }

    @Test("A wrong database is named in the error")
    func wrongDatabase() async throws {
      try await TestDatabase.run { database in
        let parameters = "\(database.url)\(database.url.contains("?") ? "&" : "?")dbname=no_such_db"
        let client = try PostgresClient(
          PostgresConfiguration(url: parameters),
          group: database.group,
          logger: TestDatabase.quiet
        )
        let error = await #expect(throws: PostgresError.self) { try await client.query("SELECT 1") }
        #expect(error?.kind == .unavailable)
        #expect(error?.message.contains("no_such_db") == true)
        await client.shutdown()
      }
    }
  }
}
