import Testing

@testable import Postgres

extension PostgresSuite {
  /// Many callers on one connection at once.
  @Suite("A shared connection")
  struct SharedConnectionTests {
    private var one: PostgresLimits {
      var limits = PostgresLimits()
      limits.connectionsPerLoop = 1
      limits.statementTimeout = .seconds(30)
      limits.acquireTimeout = .seconds(30)
      return limits
    }

    @Test("A failing statement does not undo its neighbours'")
    func neighbours() async throws {
      try await TestDatabase.run(limits: one) { database in
        let client = database.client
        _ = try await client.query("CREATE TABLE t (id bigint PRIMARY KEY CHECK (id % 2 = 0))")
        let stored = await withTaskGroup(of: Bool.self) { group in
          for id in 0..<200 {
            group.addTask { (try? await client.query("INSERT INTO t VALUES (\(id))")) != nil }
          }
          return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(stored == 100)
        let count = try await client.query("SELECT count(*) FROM t")
        #expect(try count[0].decode(at: 0, as: Int.self) == 100)
      }
    }

    @Test("1,000 queries at once get each its own answer", arguments: [1, 4])
    func thousand(_ connections: Int) async throws {
      var limits = one
      limits.connectionsPerLoop = connections
      try await TestDatabase.run(limits: limits, loops: 2) { database in
        let client = database.client
        let right = try await withThrowingTaskGroup(of: Bool.self) { group in
          for number in 0..<1_000 {
            group.addTask {
              let rows = try await client.query("SELECT \(number) + 1, \(String(number))::text")
              let (sum, text) = try rows[0].decode(Int.self, String.self)
              return sum == number + 1 && text == String(number)
            }
          }
          return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(right == 1_000)
      }
    }

    @Test("A batch takes effect as a whole or not at all")
    func batch() async throws {
      try await TestDatabase.run(limits: one) { database in
        let client = database.client
        _ = try await client.query("CREATE TABLE t (id bigint PRIMARY KEY)")
        let rows = try await client.batch([
          "INSERT INTO t VALUES (1)", "SELECT count(*) FROM t", "INSERT INTO t VALUES (2), (3)",
        ])
        #expect(try rows[1][0].decode(at: 0, as: Int.self) == 1)
        #expect(rows.map(\.affectedCount) == [1, 1, 2])
        let error = await #expect(throws: PostgresError.self) {
          try await client.batch(["INSERT INTO t VALUES (4)", "INSERT INTO t VALUES (1)"])
        }
        #expect(error?.isUniqueViolation(of: "t_pkey") == true)
        #expect(try await client.query("SELECT id FROM t").count == 3)
        #expect(try await client.batch([]).isEmpty)
      }
    }

    @Test("Statements that fail to prepare leave the others alone")
    func badStatements() async throws {
      try await TestDatabase.run(limits: one) { database in
        let client = database.client
        await withTaskGroup(of: Void.self) { group in
          for number in 0..<60 {
            group.addTask {
              if number % 2 == 0 {
                let error = await #expect(throws: PostgresError.self) {
                  try await client.query("SELEC nonsense")
                }
                #expect(error?.sqlState == "42601")
              } else {
                let rows = try? await client.query("SELECT \(number)")
                #expect(rows?.count == 1)
              }
            }
          }
        }
      }
    }
  }
}
