import Testing

@testable import Postgres

extension PostgresSuite {
  @Suite("Migrations")
  struct MigrationTests {
    private let create = Migration(
      version: 1,
      name: "create_pet",
      sql: "CREATE TABLE pet (id bigint PRIMARY KEY); INSERT INTO pet VALUES (1);"
    )
    private let widen = Migration(
      version: 2,
      name: "it's wide",
      sql: "ALTER TABLE pet ADD COLUMN name text -- last"
    )

    @Test("Missing migrations run once, in order, in their schema")
    func run() async throws {
      try await TestDatabase.run { database in
        let client = database.client
        try await client.migrate(schema: database.schema, migrations: [create])
        try await client.migrate(schema: database.schema, migrations: [create, widen])
        try await client.migrate(schema: database.schema, migrations: [create, widen])
        #expect(try await client.query("SELECT id, name FROM pet").count == 1)
        let rows = try await client.query("SELECT version, name FROM schema_migration ORDER BY 1")
        #expect(
          try rows.map { try $0.decode(at: 1, as: String.self) } == ["create_pet", "it's wide"]
        )
      }
    }

    @Test("Processes that start together run each migration once")
    func together() async throws {
      try await TestDatabase.run { database in
        let clients = [database.client, try await database.otherClient()]
        let migrations = [create, widen]
        try await withThrowingTaskGroup(of: Void.self) { group in
          for client in clients {
            group.addTask {
              try await client.migrate(schema: database.schema, migrations: migrations)
            }
          }
          try await group.waitForAll()
        }
        #expect(try await database.client.query("SELECT id FROM pet").count == 1)
        await clients[1].shutdown()
      }
    }

    @Test("A failing migration leaves nothing behind and names itself")
    func failure() async throws {
      try await TestDatabase.run { database in
        let client = database.client
        let bad = Migration(version: 2, name: "bad", sql: "CREATE TABLE dog (id int); SELECT 1 / 0")
        let error = await #expect(throws: PostgresError.self) {
          try await client.migrate(schema: database.schema, migrations: [create, bad])
        }
        #expect(error?.sqlState == "22012")
        #expect(error?.message.contains("2 bad") == true)
        let row = try await client.query(
          "SELECT to_regclass('pet') IS NULL, to_regclass('dog') IS NULL"
        )
        let (noPet, noDog) = try row[0].decode(Bool.self, Bool.self)
        #expect(!noPet && noDog)
        try await client.migrate(schema: database.schema, migrations: [create, widen])
      }
    }

    @Test("A migration with COPY is refused, not waited for")
    func copy() async throws {
      try await TestDatabase.run { database in
        let copy = Migration(version: 2, name: "copy", sql: "COPY pet FROM STDIN")
        let error = await #expect(throws: PostgresError.self) {
          try await database.client.migrate(schema: database.schema, migrations: [create, copy])
        }
        #expect(error?.message.contains("COPY") == true)
        try await database.client.migrate(schema: database.schema, migrations: [create])
      }
    }

    @Test("A migration that was changed after it ran is refused")
    func changed() async throws {
      try await TestDatabase.run { database in
        let client = database.client
        try await client.migrate(schema: database.schema, migrations: [create])
        let other = Migration(version: 1, name: "create_pet", sql: create.sql + " ")
        let error = await #expect(throws: PostgresError.self) {
          try await client.migrate(schema: database.schema, migrations: [other])
        }
        #expect(error?.kind == .migration)
      }
    }

    @Test("A migration before one that ran, or out of order, is refused")
    func order() async throws {
      try await TestDatabase.run { database in
        let client = database.client
        for migrations in [[widen, create], [create, create]] {
          let error = await #expect(throws: PostgresError.self) {
            try await client.migrate(schema: database.schema, migrations: migrations)
          }
          #expect(error?.kind == .migration)
        }
        let later = Migration(version: 3, name: "later", sql: "SELECT 1")
        try await client.migrate(schema: database.schema, migrations: [create, later])
        let error = await #expect(throws: PostgresError.self) {
          try await client.migrate(schema: database.schema, migrations: [create, widen, later])
        }
        #expect(error?.kind == .migration)
      }
    }
  }
}
