import EventLoop
import Testing

@testable import Postgres

/// The machine alone, without a server and without a clock.
@Suite("Pool")
struct PoolStateMachineTests {
  private let start = ContinuousClock.now

  private func machine(connections: Int = 2, waiters: Int = 8) -> PoolStateMachine {
    var limits = PostgresLimits()
    limits.connectionsPerLoop = connections
    limits.waitersPerLoop = waiters
    limits.preferredDepth = 2
    limits.unitsInFlight = 3
    return PoolStateMachine(limits: limits)
  }

  @Test("The first connection is opened ahead of demand")
  func first() {
    var pool = machine()
    #expect(pool.start() == [.open(1)])
    #expect(pool.start() == [])
    #expect(pool.opened(1, now: start) == [])
    #expect(pool.placeShared(now: start) == 1)
  }

  @Test("Units share a quick connection up to the preferred depth, then another is opened")
  func depth() {
    var pool = machine()
    _ = pool.start()
    _ = pool.opened(1, now: start)
    #expect(pool.placeShared(now: start) == 1)
    #expect(pool.placeShared(now: start) == 1)
    #expect(pool.placeShared(now: start) == nil)
    #expect(pool.waitShared(10) == [.open(2)])
    #expect(pool.opened(2, now: start) == [.run(10, on: 2)])
  }

  @Test("At the limit of connections the least loaded takes more, up to its own limit")
  func full() {
    var pool = machine(connections: 1)
    _ = pool.start()
    _ = pool.opened(1, now: start)
    for _ in 0..<3 { #expect(pool.placeShared(now: start) == 1) }
    #expect(pool.placeShared(now: start) == nil)
    #expect(pool.waitShared(10) == [])
    #expect(pool.unitFinished(on: 1, now: start) == [.run(10, on: 1)])
  }

  @Test("A slow connection gets nothing more while another can be had")
  func slow() {
    var pool = machine()
    _ = pool.start()
    _ = pool.opened(1, now: start)
    #expect(pool.placeShared(now: start) == 1)
    #expect(pool.placeShared(now: start + .seconds(1)) == nil)
    #expect(pool.waitShared(10) == [.open(2)])
  }

  @Test("A transaction waits for a connection to run empty, which takes nothing new meanwhile")
  func reservation() {
    var pool = machine(connections: 1)
    _ = pool.start()
    _ = pool.opened(1, now: start)
    #expect(pool.placeShared(now: start) == 1)
    #expect(pool.requestLease(20) == [])
    #expect(pool.placeShared(now: start) == nil)
    #expect(pool.waitShared(21) == [])
    #expect(pool.unitFinished(on: 1, now: start) == [.lease(20, on: 1)])
    #expect(pool.leaseEnded(on: 1, now: start) == [.run(21, on: 1)])
  }

  @Test("Units and transactions that wait for the same connection get it in their order")
  func order() {
    var pool = machine(connections: 1)
    _ = pool.start()
    _ = pool.opened(1, now: start)
    #expect(pool.requestLease(1) == [.lease(1, on: 1)])
    #expect(pool.waitShared(2) == [])
    #expect(pool.requestLease(3) == [])
    #expect(pool.waitShared(4) == [])
    #expect(pool.leaseEnded(on: 1, now: start) == [.run(2, on: 1), .run(4, on: 1)])
    #expect(pool.placeShared(now: start) == nil)
    #expect(pool.unitFinished(on: 1, now: start) == [])
    #expect(pool.unitFinished(on: 1, now: start) == [.lease(3, on: 1)])
  }

  @Test("A waiter that gave up is passed over")
  func gaveUp() {
    var pool = machine(connections: 1)
    _ = pool.start()
    _ = pool.opened(1, now: start)
    #expect(pool.requestLease(1) == [.lease(1, on: 1)])
    #expect(pool.requestLease(2) == [])
    #expect(pool.requestLease(3) == [])
    #expect(pool.gaveUp(2) == true)
    #expect(pool.leaseEnded(on: 1, now: start) == [.lease(3, on: 1)])
    #expect(pool.gaveUp(2) == false)
  }

  @Test("A reservation for a transaction that gave up is lifted")
  func liftedReservation() {
    var pool = machine(connections: 1)
    _ = pool.start()
    _ = pool.opened(1, now: start)
    #expect(pool.placeShared(now: start) == 1)
    #expect(pool.requestLease(2) == [])
    #expect(pool.gaveUp(2) == true)
    #expect(pool.placeShared(now: start) == 1)
  }

  @Test("The waiter beyond the limit is refused at once")
  func refusal() {
    var pool = machine(connections: 1, waiters: 2)
    #expect(pool.waitShared(1) == [.open(1)])
    #expect(pool.waitShared(2) == [])
    #expect(pool.waitShared(3) == [.refuse(3)])
  }

  @Test("While connecting fails, one attempt runs at a time and only after the pause")
  func backoff() {
    var pool = machine()
    #expect(pool.waitShared(1) == [.open(1)])
    #expect(pool.waitShared(2) == [.open(2)])
    pool.failed(1)
    pool.failed(2)
    #expect(pool.waitShared(3) == [])
    #expect(pool.backoffElapsed() == [.open(3)])
    #expect(pool.opened(3, now: start) == [.run(1, on: 3), .run(2, on: 3), .open(4)])
  }

  @Test("A lost connection is replaced")
  func replacement() {
    var pool = machine()
    _ = pool.start()
    _ = pool.opened(1, now: start)
    #expect(pool.closed(1) == [.open(2)])
  }
}
