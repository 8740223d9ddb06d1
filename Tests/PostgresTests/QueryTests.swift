import Foundation
import Testing

@testable import Postgres

extension PostgresSuite {
  @Suite("Statements")
  struct QueryTests {
    @Test("A value is bound, never spliced into the text")
    func values() async throws {
      try await TestDatabase.run { database in
        let hostile = "x'); DROP TABLE note; --"
        _ = try await database.client.query("CREATE TABLE note (id bigint, text text)")
        let query: PostgresQuery = "INSERT INTO note VALUES (\(7), \(hostile)) RETURNING text"
        #expect(query.sql == "INSERT INTO note VALUES ($1, $2) RETURNING text")
        let rows = try await database.client.query(query)
        #expect(try rows[0].decode(at: 0, as: String.self) == hostile)
        #expect(try await database.client.query("SELECT * FROM note").count == 1)
      }
    }

    @Test("A deferred constraint that fails at the commit fails its statement alone")
    func deferredConstraint() async throws {
      try await TestDatabase.run { database in
        _ = try await database.client.query(
          """
          CREATE TABLE pair (
            id bigint PRIMARY KEY,
            other bigint CONSTRAINT other_exists REFERENCES pair DEFERRABLE INITIALLY DEFERRED)
          """
        )
        let error = await #expect(throws: PostgresError.self) {
          try await database.client.query("INSERT INTO pair VALUES (1, 2)")
        }
        #expect(error?.isForeignKeyViolation(of: "other_exists") == true)
        #expect(try await database.client.query("SELECT id FROM pair").isEmpty)
      }
    }

    @Test("Each type comes back as it was sent")
    func types() async throws {
      try await TestDatabase.run { database in
        let id = UUID()
        let instant = Date(timeIntervalSince1970: 1_700_000_000.123456)
        let bytes: [UInt8] = [0, 1, 255, 0]
        let row = try #require(
          try await database.client.query(
            """
            SELECT \(true), \(Int16.min), \(Int32.max), \(Int64.min), \(Int.max), \(1.5),
              \("ä\u{1F600}")::text, \(id), \(instant), \(bytes), \(JSONText(#"{"a": [1]}"#)),
              \(NumericText("-12345.60700"))
            """
          ).first
        )
        let (bool, int2, int4, int8, int) = try row.decode(
          Bool.self,
          Int16.self,
          Int32.self,
          Int64.self,
          Int.self
        )
        #expect(bool && int2 == .min && int4 == .max && int8 == .min && int == .max)
        #expect(try row.decode(at: 5, as: Double.self) == 1.5)
        #expect(try row.decode(at: 6, as: String.self) == "ä\u{1F600}")
        #expect(try row.decode(at: 7, as: UUID.self) == id)
        let read = try row.decode(at: 8, as: Date.self)
        #expect(abs(read.timeIntervalSince(instant)) < 0.000_001)
        #expect(try row.decode(at: 9, as: [UInt8].self) == bytes)
        #expect(try row.decode(at: 10, as: JSONText.self).text == #"{"a": [1]}"#)
        #expect(try row.decode(at: 11, as: NumericText.self).text == "-12345.60700")
      }
    }

    @Test("NULL is nil both ways, and an error where nil is not allowed")
    func null() async throws {
      try await TestDatabase.run { database in
        let rows = try await database.client.query(
          "SELECT \(UUID?.none), \(String?.none)::text, \(Int?.some(3))"
        )
        let (id, text, number) = try rows[0].decode(UUID?.self, String?.self, Int?.self)
        #expect(id == nil && text == nil && number == 3)
        let error = #expect(throws: PostgresError.self) {
          try rows[0].decode(at: 1, as: String.self)
        }
        #expect(error?.kind == .decoding)
      }
    }

    @Test("Arrays of text, uuid, int8 and int4 come back as they were sent")
    func arrays() async throws {
      try await TestDatabase.run { database in
        let (ids, texts) = ([UUID(), UUID()], ["a,b", "", "\"}{", "ü"])
        let rows = try await database.client.query(
          "SELECT \(ids), \(texts), \([Int64.min, 3]), \([Int32(7)]), \([String]()), '{1,NULL}'::int[]"
        )
        let row = rows[0]
        #expect(try row.decode(at: 0, as: [UUID].self) == ids)
        #expect(try row.decode(at: 1, as: [String].self) == texts)
        #expect(try row.decode(at: 2, as: [Int64].self) == [.min, 3])
        #expect(try row.decode(at: 3, as: [Int32].self) == [7])
        #expect(try row.decode(at: 4, as: [String].self) == [])
        #expect(throws: PostgresError.self) { try row.decode(at: 5, as: [Int32].self) }
      }
    }

    @Test("Text fits enums, dates and json without a cast")
    func inferredText() async throws {
      try await TestDatabase.run { database in
        _ = try await database.client.query("CREATE TYPE mood AS ENUM ('good', 'bad')")
        _ = try await database.client.query(
          "CREATE TABLE t (m mood, d date, j jsonb, v varchar(9))"
        )
        _ = try await database.client.query(
          "INSERT INTO t VALUES (\("bad"), \("2026-11-21"), \("[1]"), \("v"))"
        )
        let row = try await database.client.query("SELECT m, d, j, v FROM t WHERE m = \("bad")")[0]
        #expect(try row.decode("m", as: String.self) == "bad")
        #expect(try row.decode("d", as: Date.self).timeIntervalSince1970 == 1_795_219_200)
        #expect(try row.decode("j", as: String.self) == "[1]")
        #expect(try row.decode("v", as: String.self) == "v")
      }
    }

    @Test("Text with a NUL is refused before it is sent")
    func nul() async throws {
      try await TestDatabase.run { database in
        let error = await #expect(throws: PostgresError.self) {
          try await database.client.query("SELECT \("a\u{0}b")::text")
        }
        #expect(error?.kind == .invalidValue)
      }
    }

    @Test("An error names its constraint and SQLSTATE, and never the value")
    func errors() async throws {
      try await TestDatabase.run { database in
        _ = try await database.client.query(
          "CREATE TABLE account (email text CONSTRAINT email_once UNIQUE, age int)"
        )
        let insert: PostgresQuery = "INSERT INTO account VALUES (\("secret@example.com"), 1)"
        _ = try await database.client.query(insert)
        let twice = await #expect(throws: PostgresError.self) {
          try await database.client.query(insert)
        }
        #expect(twice?.isUniqueViolation(of: "email_once") == true)
        #expect(twice?.table == "account")
        #expect(twice?.description.contains("secret") == false)
        let malformed = await #expect(throws: PostgresError.self) {
          try await database.client.query("SELECT \("secret")::text::int")
        }
        #expect(malformed?.sqlState == "22P02")
        #expect(malformed?.description.contains("secret") == false)
      }
    }

    @Test("Rows of 30 MB arrive whole")
    func largeRows() async throws {
      try await TestDatabase.run { database in
        let rows = try await database.client.query(
          "SELECT repeat('x', 10000000) FROM generate_series(1, 3)",
          timeout: .seconds(60)
        )
        #expect(rows.count == 3)
        #expect(try rows[2].decode(at: 0, as: String.self).utf8.count == 10_000_000)
        let sent = [UInt8](repeating: 7, count: 5_000_000)
        let back = try await database.client.query("SELECT \(sent)", timeout: .seconds(60))
        #expect(try back[0].decode(at: 0, as: [UInt8].self) == sent)
      }
    }

    @Test("A changed table does not break statements that were prepared before")
    func stalePlan() async throws {
      try await TestDatabase.run { database in
        let other = try await database.otherClient()
        _ = try await database.client.query("CREATE TABLE t (a int)")
        #expect(try await database.client.query("SELECT * FROM t").columnNames == ["a"])
        _ = try await other.query("ALTER TABLE t ADD COLUMN b text")
        #expect(try await database.client.query("SELECT * FROM t").columnNames == ["a", "b"])
        _ = try await database.client.query("DEALLOCATE ALL")
        #expect(try await database.client.query("SELECT * FROM t").isEmpty)
        await other.shutdown()
      }
    }

    @Test("More distinct statements than the cache holds are served, and old ones dropped")
    func eviction() async throws {
      var limits = PostgresLimits()
      limits.preparedStatements = 8
      limits.connectionsPerLoop = 1
      try await TestDatabase.run(limits: limits) { database in
        for round in 0..<2 {
          for number in 0..<20 {
            let rows = try await database.client.query("SELECT \(unescaped: "\(number)")::int")
            #expect(try rows[0].decode(at: 0, as: Int.self) == number, "round \(round)")
          }
        }
        let kept = try await database.client.query("SELECT count(*) FROM pg_prepared_statements")
        #expect(try kept[0].decode(at: 0, as: Int.self) <= 8)
      }
    }
  }
}
