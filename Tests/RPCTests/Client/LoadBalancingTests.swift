import EventLoop
import Testing

@testable import RPC

private func address(_ last: UInt8) -> SocketAddress { .v4(bytes: [10, 0, 0, last], port: 1) }
private func id(_ value: Int) -> SubchannelID { SubchannelID(rawValue: value) }
private let refused = ConnectivityState.transientFailure("refused")

/// The macros take no mutating calls.
private func expectEqual<Value: Equatable>(
  _ value: Value,
  _ expected: Value,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(value == expected, sourceLocation: sourceLocation)
}

@Suite("pick_first") struct PickFirstTests {
  private func resolved(_ count: UInt8) -> PickFirst {
    var policy = PickFirst()
    _ = policy.resolved((1...count).map(address))
    return policy
  }

  @Test("Addresses are tried in order, one at a time")
  func inOrder() {
    var policy = PickFirst()
    expectEqual(policy.pick(), .queue)
    let first = policy.resolved([address(1), address(2)])
    #expect(first == [.create(id(0), address(1)), .create(id(1), address(2)), .connect(id(0))])
    expectEqual(policy.changed(id(0), .connecting), [])
    expectEqual(policy.changed(id(0), refused), [.connect(id(1))])
    expectEqual(policy.pick(), .queue)
  }

  @Test("The first that answers takes every call and the others are shut down")
  func selects() {
    var policy = resolved(3)
    _ = policy.changed(id(0), refused)
    let actions = policy.changed(id(1), .ready)
    #expect(actions == [.shutDown(id(0)), .shutDown(id(2))])
    expectEqual(policy.pick(), .subchannel(id(1)))
    expectEqual(policy.pick(), .subchannel(id(1)))
  }

  @Test("When all have failed, calls fail, names are looked up, and each is tried as it may")
  func allFail() {
    var policy = resolved(2)
    _ = policy.changed(id(0), refused)
    _ = policy.changed(id(1), .connecting)
    let last = policy.changed(id(1), .transientFailure("timeout"))
    #expect(last == [.resolveAgain])
    expectEqual(policy.pick(), .fail("timeout"))
    let again = policy.changed(id(0), .idle)
    #expect(again == [.connect(id(0))])
    // Still failing while it tries: calls need not wait for an address that failed before.
    expectEqual(policy.changed(id(0), .connecting), [])
    expectEqual(policy.pick(), .fail("timeout"))
    expectEqual(policy.changed(id(0), .ready), [.shutDown(id(1))])
    expectEqual(policy.pick(), .subchannel(id(0)))
  }

  @Test("A lost connection begins a new pass over all addresses, and a look-up")
  func lost() {
    var policy = resolved(2)
    _ = policy.changed(id(0), .ready)
    let actions = policy.changed(id(0), .idle)
    #expect(actions == [.resolveAgain, .create(id(2), address(2)), .connect(id(0))])
    expectEqual(policy.pick(), .queue)
  }

  @Test("A selected address that is still named is kept; one that is not is left")
  func newAddresses() {
    var policy = resolved(2)
    _ = policy.changed(id(0), .ready)
    expectEqual(policy.resolved([address(3), address(1)]), [])
    expectEqual(policy.pick(), .subchannel(id(0)))
    let moved = policy.resolved([address(3)])
    #expect(moved == [.shutDown(id(0)), .create(id(2), address(3)), .connect(id(2))])
    expectEqual(policy.pick(), .queue)
  }

  @Test(
    "Without addresses calls fail with the resolver's reason; known addresses outlive a failure"
  )
  func resolverFails() {
    var policy = PickFirst()
    policy.resolutionFailed("no such host")
    expectEqual(policy.pick(), .fail("no such host"))
    _ = policy.resolved([address(1)])
    _ = policy.changed(id(0), .ready)
    policy.resolutionFailed("no such host")
    expectEqual(policy.pick(), .subchannel(id(0)))
  }
}

@Suite("round_robin") struct RoundRobinTests {
  private func resolved(_ count: UInt8) -> RoundRobin {
    var policy = RoundRobin()
    _ = policy.resolved((1...count).map(address))
    return policy
  }

  private func picks(_ policy: inout RoundRobin, _ count: Int) -> [Pick] {
    (0..<count).map { _ in policy.pick() }
  }

  @Test("Every address is connected, each once")
  func connects() {
    var policy = RoundRobin()
    expectEqual(policy.pick(), .queue)
    let actions = policy.resolved([address(1), address(2), address(1)])
    #expect(
      actions == [
        .create(id(0), address(1)), .connect(id(0)), .create(id(1), address(2)), .connect(id(1)),
      ]
    )
  }

  @Test("Calls go to the connections that stand, in turn")
  func turns() {
    var policy = resolved(3)
    _ = policy.changed(id(0), .ready)
    expectEqual(picks(&policy, 2), [.subchannel(id(0)), .subchannel(id(0))])
    _ = policy.changed(id(1), refused)
    _ = policy.changed(id(2), .ready)
    let taken = picks(&policy, 100)
    #expect(taken.filter { $0 == .subchannel(id(0)) }.count == 50)
    #expect(taken.filter { $0 == .subchannel(id(2)) }.count == 50)
  }

  @Test("A lost connection is made again at once; a failed one when its backoff is over")
  func reconnects() {
    var policy = resolved(1)
    _ = policy.changed(id(0), .ready)
    expectEqual(policy.changed(id(0), .idle), [.resolveAgain, .connect(id(0))])
    expectEqual(policy.pick(), .queue)
    expectEqual(policy.changed(id(0), refused), [.resolveAgain])
    expectEqual(policy.pick(), .fail("refused"))
    expectEqual(policy.changed(id(0), .idle), [.connect(id(0))])
    expectEqual(policy.changed(id(0), .connecting), [])
    expectEqual(policy.pick(), .fail("refused"))
    _ = policy.changed(id(0), .ready)
    expectEqual(policy.pick(), .subchannel(id(0)))
  }

  @Test("Calls wait while one address has not failed yet")
  func waits() {
    var policy = resolved(2)
    _ = policy.changed(id(0), refused)
    expectEqual(policy.pick(), .queue)
    _ = policy.changed(id(1), refused)
    expectEqual(policy.pick(), .fail("refused"))
  }

  @Test("New addresses join, and those that are gone leave")
  func newAddresses() {
    var policy = resolved(2)
    _ = policy.changed(id(0), .ready)
    _ = policy.changed(id(1), .ready)
    let actions = policy.resolved([address(2), address(3)])
    #expect(actions == [.shutDown(id(0)), .create(id(2), address(3)), .connect(id(2))])
    expectEqual(picks(&policy, 2), [.subchannel(id(1)), .subchannel(id(1))])
  }
}

@Suite("Connection backoff") struct ConnectionBackoffTests {
  @Test("Pauses grow by 1.6 from one second to the longest, and start again after a success")
  func grows() {
    var backoff = ExponentialBackoff(longest: .seconds(4))
    let pauses = (0..<5).map { _ in backoff.next(random: 0.5) }
    #expect(pauses.prefix(3) == [.seconds(1), .milliseconds(1_600), .milliseconds(2_560)])
    #expect(pauses.suffix(2) == [.seconds(4), .seconds(4)])
    backoff.reset()
    expectEqual(backoff.next(random: 0.5), .seconds(1))
  }

  @Test("Jitter moves a pause by at most a fifth either way")
  func jitter() {
    var low = ExponentialBackoff()
    var high = ExponentialBackoff()
    expectEqual(low.next(random: 0), .milliseconds(800))
    expectEqual(high.next(random: 1), .milliseconds(1_200))
  }
}

@Suite("Resolution schedule") struct ResolutionScheduleTests {
  private let start = MonotonicInstant.now

  @Test("The first request is answered at once, later ones at most once an interval")
  func interval() {
    var schedule = ResolutionSchedule(minInterval: .seconds(30), backoff: ExponentialBackoff())
    expectEqual(schedule.requested(at: start), .resolve)
    // One look-up at a time.
    expectEqual(schedule.requested(at: start), .none)
    schedule.answered(at: start)
    expectEqual(schedule.requested(at: start + .seconds(10)), .wait(.seconds(20)))
    expectEqual(schedule.requested(at: start + .seconds(15)), .none)
    expectEqual(schedule.timerFired(), .resolve)
    schedule.answered(at: start + .seconds(30))
    expectEqual(schedule.timerFired(), .none)
    expectEqual(schedule.requested(at: start + .seconds(60)), .resolve)
  }

  @Test("A look-up that fails is repeated with backoff, without being asked")
  func failures() {
    var schedule = ResolutionSchedule(minInterval: .seconds(30), backoff: ExponentialBackoff())
    _ = schedule.requested(at: start)
    expectEqual(schedule.failed(random: 0.5), .wait(.seconds(1)))
    expectEqual(schedule.timerFired(), .resolve)
    expectEqual(schedule.failed(random: 0.5), .wait(.milliseconds(1_600)))
    expectEqual(schedule.timerFired(), .resolve)
    schedule.answered(at: start)
    expectEqual(schedule.requested(at: start + .seconds(30)), .resolve)
    expectEqual(schedule.failed(random: 0.5), .wait(.seconds(1)))
  }
}
