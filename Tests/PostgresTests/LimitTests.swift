import Dispatch
import EventLoop
import Foundation
import Testing

@testable import Postgres

extension PostgresSuite {
  @Suite("Limits")
  struct LimitTests {
    @Test("An exhausted pool is an error within a second, and recovers")
    func exhausted() async throws {
      var limits = PostgresLimits()
      limits.connectionsPerLoop = 1
      try await TestDatabase.run(limits: limits) { database in
        let client = database.client
        try await client.transaction { transaction in
          _ = try await transaction.query("SELECT 1")
          let start = ContinuousClock.now
          let error = await #expect(throws: PostgresError.self) {
            try await client.query("SELECT 2")
          }
          #expect(error?.kind == .poolExhausted)
          #expect(ContinuousClock.now - start < .seconds(15))
        }
        #expect(try await client.query("SELECT 3").count == 1)
      }
    }

    @Test("The caller beyond the limit of waiters is refused at once")
    func waiters() async throws {
      var limits = PostgresLimits()
      limits.connectionsPerLoop = 1
      limits.waitersPerLoop = 0
      try await TestDatabase.run { database in
        let client = try PostgresClient(
          PostgresConfiguration(url: database.url, limits: limits),
          group: database.group,
          logger: TestDatabase.quiet
        )
        let start = ContinuousClock.now
        let error = await #expect(throws: PostgresError.self) { try await client.query("SELECT 1") }
        #expect(error?.kind == .poolExhausted)
        #expect(ContinuousClock.now - start < .seconds(15))
        await client.shutdown()
      }
    }

    @Test("A statement beyond its time fails on time and is cancelled at the server")
    func timeout() async throws {
      try await TestDatabase.run { database in
        let other = try await database.otherClient()
        let start = ContinuousClock.now
        let error = await #expect(throws: PostgresError.self) {
          try await database.client.query("SELECT pg_sleep(30)", timeout: .milliseconds(200))
        }
        let taken = ContinuousClock.now - start
        #expect(error?.kind == .timeout)
        #expect(taken >= .milliseconds(200) && taken < .seconds(15))
        try await database.wait(for: 0, from: database.running("pg_sleep(30)"), on: other)
        #expect(try await database.client.query("SELECT 1").count == 1)
        await other.shutdown()
      }
    }

    @Test("A cancelled task returns at once, and its statement writes nothing afterwards")
    func cancellation() async throws {
      try await TestDatabase.run { database in
        let (client, other) = (database.client, try await database.otherClient())
        _ = try await client.query("CREATE TABLE t (id bigint)")
        let task = Task {
          try await client.query("INSERT INTO t SELECT 1 FROM pg_sleep(20)", timeout: .seconds(30))
        }
        try await database.wait(for: 1, from: database.running("pg_sleep(20)"), on: other)
        let start = ContinuousClock.now
        task.cancel()
        let result = await task.result
        #expect(throws: PostgresError.self) { try result.get() }
        #expect(ContinuousClock.now - start < .seconds(15))
        try await database.wait(for: 0, from: database.running("pg_sleep(20)"), on: other)
        #expect(try await client.query("SELECT id FROM t").isEmpty)
        await other.shutdown()
      }
    }

    @Test("Cancelling one statement leaves those behind it on the connection alone")
    func cancelledNeighbour() async throws {
      var limits = PostgresLimits()
      limits.connectionsPerLoop = 1
      limits.statementTimeout = .seconds(30)
      try await TestDatabase.run(limits: limits) { database in
        let (client, other) = (database.client, try await database.otherClient())
        let task = Task { try await client.query("SELECT pg_sleep(25)") }
        try await database.wait(for: 1, from: database.running("pg_sleep(25)"), on: other)
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
          for number in 0..<20 {
            group.addTask {
              try await client.query("SELECT \(number) FROM pg_sleep(0.005)")[0].decode(at: 0)
            }
          }
          task.cancel()
          return try await group.reduce(0, +)
        }
        #expect(sum == 190)
        await other.shutdown()
      }
    }

    @Test("Among many cancelled statements the others take effect exactly once")
    func manyCancelled() async throws {
      var limits = PostgresLimits()
      limits.connectionsPerLoop = 2
      limits.statementTimeout = .seconds(60)
      limits.acquireTimeout = .seconds(60)
      limits.cancelDelay = .zero
      try await TestDatabase.run(limits: limits) { database in
        let client = database.client
        _ = try await client.query("CREATE TABLE t (id bigint PRIMARY KEY)")
        let tasks = (0..<300).map { id in
          Task { try await client.query("INSERT INTO t SELECT \(id) FROM pg_sleep(0.003)") }
        }
        for id in stride(from: 0, to: 300, by: 3) {
          // Those before it have been answered, so the cancelled one runs or is about to.
          if id > 0 { _ = await tasks[id - 1].result }
          tasks[id].cancel()
        }
        for (id, task) in tasks.enumerated() where id % 3 != 0 {
          await #expect(throws: Never.self) { try await task.value }
        }
        let rows = try await client.query("SELECT id FROM t WHERE id % 3 <> 0")
        #expect(rows.count == 200)
      }
    }

    @Test("A cancelled transaction is rolled back and its connection used again")
    func cancelledTransaction() async throws {
      var limits = PostgresLimits()
      limits.connectionsPerLoop = 1
      try await TestDatabase.run(limits: limits) { database in
        let (client, other) = (database.client, try await database.otherClient())
        _ = try await client.query("CREATE TABLE t (id bigint)")
        let task = Task {
          try await client.transaction { transaction in
            _ = try await transaction.query("INSERT INTO t VALUES (1)")
            _ = try await transaction.query("SELECT pg_sleep(22)", timeout: .seconds(30))
          }
        }
        try await database.wait(for: 1, from: database.running("pg_sleep(22)"), on: other)
        task.cancel()
        let result = await task.result
        #expect(throws: PostgresError.self) { try result.get() }
        #expect(try await client.query("SELECT id FROM t").isEmpty)
        await other.shutdown()
      }
    }

    @Test("A task that is cancelled already sends nothing")
    func cancelledBefore() async throws {
      try await TestDatabase.run { database in
        let client = database.client
        let task = Task {
          withUnsafeCurrentTask { $0?.cancel() }
          _ = try await client.query("CREATE TABLE t (id bigint)")
        }
        let result = await task.result
        #expect(throws: PostgresError.self) { try result.get() }
        let found = try await client.query("SELECT to_regclass('t') IS NULL")
        #expect(try found[0].decode(at: 0, as: Bool.self))
      }
    }

    @Test("A statement whose task is cancelled on its way to the loop is never sent")
    func cancelledOnTheWay() async throws {
      var limits = PostgresLimits()
      limits.connectionsPerLoop = 1
      limits.acquireTimeout = .seconds(60)
      try await TestDatabase.run(limits: limits) { database in
        let (client, loop) = (database.client, database.group.loops[0])
        _ = try await client.query("CREATE TABLE t (id bigint)")
        // Nothing is sent while the only connection belongs to a transaction.
        try await client.transaction { transaction in
          _ = try await transaction.query("SELECT 1")
          for id in 0..<200 {
            let begun = DispatchSemaphore(value: 0)
            let task = Task {
              begun.signal()
              _ = try await client.query("INSERT INTO t VALUES (\(id))")
            }
            await withCheckedContinuation { cancelled in
              loop.submit {
                // The statement's first step queues up behind this one, and the cancellation behind
                // that step.
                begun.wait()
                for _ in 0..<100 { sched_yield() }
                loop.submit {
                  task.cancel()
                  cancelled.resume()
                }
              }
            }
          }
        }
        // Sent behind all that may have been queued.
        #expect(try await client.query("SELECT id FROM t").isEmpty)
      }
    }

    @Test("After shutdown every call is refused")
    func shutdown() async throws {
      try await TestDatabase.run { database in
        let client = try await database.otherClient()
        _ = try await client.query("SELECT 1")
        await client.shutdown()
        let error = await #expect(throws: PostgresError.self) { try await client.query("SELECT 1") }
        #expect(error?.kind == .closed)
      }
    }
  }
}
