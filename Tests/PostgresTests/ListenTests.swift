import Testing

@testable import Postgres

extension PostgresSuite {
  @Suite("Notifications")
  struct ListenTests {
    @Test("Listening begins with a sign, then every notification comes")
    func notifications() async throws {
      try await TestDatabase.run { database in
        let channel = database.schema
        var seen = database.client.listen(channel).makeAsyncIterator()
        #expect(await seen.next() == .reconnected)
        for number in 0..<5 { try await database.client.notify(channel, payload: "\(number)") }
        for number in 0..<5 { #expect(await seen.next()?.payload == "\(number)") }
      }
    }

    @Test("After its session was ended a listener is told and hears again")
    func reconnect() async throws {
      try await TestDatabase.run { database in
        let (client, other) = (database.client, try await database.otherClient())
        let channel = database.schema + " \"odd\" Name"
        var seen = client.listen(channel).makeAsyncIterator()
        #expect(await seen.next() == .reconnected)
        _ = try await other.query(
          """
          SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
          WHERE application_name = \(database.schema) AND query LIKE 'LISTEN%'
          """
        )
        #expect(await seen.next() == .reconnected)
        try await other.notify(channel, payload: "after")
        #expect(await seen.next()?.payload == "after")
        await other.shutdown()
      }
    }

    @Test("Listeners of several channels share a connection, and each hears its own")
    func channels() async throws {
      try await TestDatabase.run { database in
        let (client, other) = (database.client, try await database.otherClient())
        var first = client.listen(database.schema + "a").makeAsyncIterator()
        var second = client.listen(database.schema + "b").makeAsyncIterator()
        #expect(await first.next() == .reconnected)
        #expect(await second.next() == .reconnected)
        try await client.notify(database.schema + "b", payload: "b")
        try await client.notify(database.schema + "a", payload: "a")
        #expect(await first.next()?.payload == "a")
        #expect(await second.next()?.payload == "b")
        let sessions = try await other.query(
          """
          SELECT count(*) FROM pg_stat_activity
          WHERE application_name = \(database.schema) AND query LIKE 'LISTEN%'
          """
        )
        #expect(try sessions[0].decode(at: 0, as: Int.self) == 1)
        await other.shutdown()
      }
    }

    @Test("The stream ends with the client")
    func end() async throws {
      try await TestDatabase.run { database in
        let client = try await database.otherClient()
        var seen = client.listen(database.schema).makeAsyncIterator()
        #expect(await seen.next() == .reconnected)
        await client.shutdown()
        #expect(await seen.next() == nil)
      }
    }
  }
}
