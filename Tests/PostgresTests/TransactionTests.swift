import EventLoop
import Testing

@testable import Postgres

extension PostgresSuite {
  @Suite("Transactions")
  struct TransactionTests {
    @Test("Nobody sees a transaction before it commits, everybody afterwards")
    func isolation() async throws {
      try await TestDatabase.run { database in
        let client = database.client
        _ = try await client.query("CREATE TABLE t (id bigint)")
        try await client.transaction { transaction in
          _ = try await transaction.query("INSERT INTO t VALUES (1)")
          #expect(try await client.query("SELECT id FROM t").isEmpty)
          #expect(try await transaction.query("SELECT id FROM t").count == 1)
        }
        #expect(try await client.query("SELECT id FROM t").count == 1)
      }
    }

    @Test("An error in the body rolls back and leaves the transaction")
    func rollback() async throws {
      struct Refused: Error {}
      try await TestDatabase.run { database in
        let client = database.client
        _ = try await client.query("CREATE TABLE t (id bigint)")
        await #expect(throws: Refused.self) {
          try await client.transaction { transaction in
            _ = try await transaction.query("INSERT INTO t VALUES (1)")
            throw Refused()
          }
        }
        #expect(try await client.query("SELECT id FROM t").isEmpty)
      }
    }

    @Test("A body that swallows an error does not commit")
    func swallowed() async throws {
      try await TestDatabase.run { database in
        let client = database.client
        _ = try await client.query("CREATE TABLE t (id bigint)")
        let error = await #expect(throws: PostgresError.self) {
          try await client.transaction { transaction in
            _ = try await transaction.query("INSERT INTO t VALUES (1)")
            _ = try? await transaction.query("SELECT 1 / 0")
          }
        }
        #expect(error?.kind == .notCommitted)
        #expect(try await client.query("SELECT id FROM t").isEmpty)
      }
    }

    @Test("A transaction that failed leaves a clean connection behind")
    func cleanConnection() async throws {
      var limits = PostgresLimits()
      limits.connectionsPerLoop = 1
      try await TestDatabase.run(limits: limits) { database in
        let client = database.client
        let first = try await client.query("SELECT pg_backend_pid()")[0].decode(at: 0, as: Int.self)
        for _ in 0..<10 {
          _ = try? await client.transaction { try await $0.query("SELECT 1 / 0") }
        }
        let last = try await client.query("SELECT pg_backend_pid()")[0].decode(at: 0, as: Int.self)
        #expect(first == last)
        _ = try await client.query("CREATE TABLE t (id bigint)")
        let other = try await database.otherClient()
        #expect(try await other.query("SELECT id FROM t").isEmpty)
        await other.shutdown()
      }
    }

    @Test("Serialization failures run the body again until it commits")
    func retry() async throws {
      var limits = PostgresLimits()
      limits.transactionRetries = 40
      try await TestDatabase.run(limits: limits) { database in
        let client = database.client
        _ = try await client.query("CREATE TABLE t (n bigint)")
        _ = try await client.query("INSERT INTO t VALUES (0)")
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<8 {
            group.addTask {
              try await client.transaction(isolation: .serializable) { transaction in
                let rows = try await transaction.query("SELECT n FROM t")
                let number = try rows[0].decode(at: 0, as: Int.self)
                _ = try await transaction.query("UPDATE t SET n = \(number + 1)")
              }
            }
          }
          try await group.waitForAll()
        }
        #expect(try await client.query("SELECT n FROM t")[0].decode(at: 0, as: Int.self) == 8)
      }
    }

    @Test("A body that is not retryable runs once")
    func notRetryable() async throws {
      try await TestDatabase.run { database in
        var runs = 0
        let error = await #expect(throws: PostgresError.self) {
          try await database.client.transaction(retryable: false) { transaction in
            runs += 1
            _ = try await transaction.query(
              "DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40001'; END $$"
            )
          }
        }
        #expect(error?.sqlState == "40001")
        #expect(runs == 1)
      }
    }

    @Test("Conflicts are retried at most the allowed number of times")
    func retriesEnd() async throws {
      try await TestDatabase.run { database in
        var attempts: [Int] = []
        let error = await #expect(throws: PostgresError.self) {
          try await database.client.transaction { transaction in
            attempts.append(transaction.attempt)
            _ = try await transaction.query(
              "DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40P01'; END $$"
            )
          }
        }
        #expect(error?.sqlState == "40P01")
        #expect(attempts == [1, 2, 3, 4])
      }
    }

    @Test("A transaction used after its end is refused")
    func afterEnd() async throws {
      try await TestDatabase.run { database in
        var kept: PostgresTransaction?
        try await database.client.transaction { kept = $0 }
        let error = await #expect(throws: PostgresError.self) {
          try await kept?.query("SELECT 1")
        }
        #expect(error?.kind == .closed)
      }
    }

    @Test("Lost updates cannot happen under a row lock")
    func rowLock() async throws {
      try await TestDatabase.run(loops: 2) { database in
        let client = database.client
        _ = try await client.query("CREATE TABLE t (n bigint)")
        _ = try await client.query("INSERT INTO t VALUES (0)")
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<20 {
            group.addTask {
              try await client.transaction { transaction in
                let rows = try await transaction.query("SELECT n FROM t FOR UPDATE")
                let number = try rows[0].decode(at: 0, as: Int.self)
                _ = try await transaction.query("UPDATE t SET n = \(number + 1)")
              }
            }
          }
          try await group.waitForAll()
        }
        #expect(try await client.query("SELECT n FROM t")[0].decode(at: 0, as: Int.self) == 20)
      }
    }
  }
}
