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

    @Test("A commit that fails at its sync does not disturb its neighbours")
    func deferredNeighbours() async throws {
      try await TestDatabase.run(limits: one) { database in
        let client = database.client
        _ = try await client.query(
          """
          CREATE TABLE pair (
            id bigint PRIMARY KEY,
            other bigint CONSTRAINT other_exists REFERENCES pair DEFERRABLE INITIALLY DEFERRED)
          """
        )
        let outcomes = await withTaskGroup(of: (Int, PostgresError?).self) { group in
          for id in 1...300 {
            group.addTask {
              do throws(PostgresError) {
                let other = id % 3 == 0 ? -id : id
                let rows = try await client.query(
                  "INSERT INTO pair VALUES (\(id), \(other)) RETURNING id"
                )
                let stored = try rows[0].decode(at: 0, as: Int.self)
                return (stored, nil)
              } catch {
                return (id, error)
              }
            }
          }
          return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for id in 1...300 {
          let error = outcomes[id]
          #expect((error != nil) == (id % 3 == 0), "\(id): \(String(describing: error))")
          if let error { #expect(error.isForeignKeyViolation(of: "other_exists")) }
        }
        #expect(try await client.query("SELECT id FROM pair").count == 200)
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
