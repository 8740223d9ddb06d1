import EventLoop
import Testing

@testable import RPC

@Suite("How a server keeps its connections") struct ConnectionKeeperTests {
  private let start = MonotonicInstant.now

  private func keeper(
    chance: Double = 0,
    _ change: (inout ConnectionLimits) -> Void = { _ in }
  ) -> ConnectionKeeper {
    var limits = ConnectionLimits()
    change(&limits)
    return ConnectionKeeper(limits: limits, opened: start, chance: chance)
  }

  private func at(_ seconds: Int) -> MonotonicInstant { start + .seconds(seconds) }

  @Test("The defaults are gRPC's")
  func defaults() {
    let limits = ConnectionLimits()
    #expect(limits.keepaliveTime == .seconds(2 * 3_600))
    #expect(limits.keepaliveTimeout == .seconds(20))
    #expect(limits.minPingInterval == .seconds(5 * 60))
    #expect(!limits.permitsPingsWithoutCalls)
    #expect(limits.maxPingStrikes == 2)
    #expect(limits.maxAge == nil)
    #expect(limits.maxAgeGrace == nil)
    #expect(limits.ageJitter == 0.1)
  }

  @Test("A silent peer is pinged once, and given up when it stays silent")
  func silent() {
    var keeper = keeper { $0.keepaliveTime = .seconds(10) }
    #expect(keeper.look(at: at(9), reads: 0) == .nothing)
    #expect(keeper.look(at: at(10), reads: 0) == .ping)
    #expect(keeper.look(at: at(11), reads: 0) == .nothing)
    #expect(keeper.look(at: at(29), reads: 0) == .nothing)
    #expect(keeper.look(at: at(30), reads: 0) == .giveUp)
    #expect(keeper.look(at: at(31), reads: 0) == .nothing)
  }

  @Test("Whatever the peer sends is a sign of life")
  func alive() {
    var keeper = keeper { $0.keepaliveTime = .seconds(10) }
    #expect(keeper.look(at: at(9), reads: 1) == .nothing)
    #expect(keeper.look(at: at(18), reads: 1) == .nothing)
    #expect(keeper.look(at: at(19), reads: 1) == .ping)
    #expect(keeper.look(at: at(38), reads: 2) == .nothing)
    #expect(keeper.look(at: at(48), reads: 2) == .ping)
    #expect(keeper.look(at: at(68), reads: 2) == .giveUp)
  }

  @Test("Without a keepalive time nobody is pinged")
  func noKeepalive() {
    var keeper = keeper { $0.keepaliveTime = nil }
    #expect(keeper.look(at: at(1_000_000), reads: 0) == .nothing)
  }

  @Test("The third early ping is one too many")
  func strikes() {
    var keeper = keeper()
    let results = (0..<4).map { keeper.pingCame(at: at($0), hasCalls: true, hasSent: false) }
    #expect(results == [true, true, true, false])
  }

  @Test("Pings at their interval are no strikes, but need two hours where there is no call")
  func interval() {
    var busy = keeper()
    var idle = keeper()
    var permitted = keeper { $0.permitsPingsWithoutCalls = true }
    for number in 0..<10 {
      let isBusyFine = busy.pingCame(at: at(300 * number), hasCalls: true, hasSent: false)
      #expect(isBusyFine)
      let isIdleFine = idle.pingCame(at: at(7_200 * number), hasCalls: false, hasSent: false)
      #expect(isIdleFine)
      let isPermitted = permitted.pingCame(at: at(300 * number), hasCalls: false, hasSent: false)
      #expect(isPermitted)
    }
    var early = keeper()
    let results = (0..<4).map {
      early.pingCame(at: at(300 * $0), hasCalls: false, hasSent: false)
    }
    #expect(results == [true, true, true, false])
  }

  @Test("What we send forgives the strikes, and the next ping comes as it likes")
  func forgiven() {
    var keeper = keeper()
    for number in 0..<50 {
      let isFine = keeper.pingCame(at: at(number), hasCalls: true, hasSent: number % 3 == 0)
      #expect(isFine)
    }
  }

  @Test("Without a limit of strikes every ping is taken")
  func unlimited() {
    var keeper = keeper { $0.maxPingStrikes = 0 }
    for _ in 0..<100 {
      let isFine = keeper.pingCame(at: at(0), hasCalls: false, hasSent: false)
      #expect(isFine)
    }
  }

  @Test("A connection is left at its age, and cut off after the grace", arguments: [-1.0, 0, 1])
  func age(chance: Double) {
    var keeper = keeper(chance: chance) {
      $0.maxAge = .seconds(1_000)
      $0.maxAgeGrace = .seconds(50)
    }
    let age = 1_000 + Int(100 * chance)
    #expect(keeper.look(at: at(age - 1), reads: 1) == .nothing)
    #expect(keeper.look(at: at(age + 1), reads: 2) == .leave)
    #expect(keeper.look(at: at(age + 2), reads: 3) == .nothing)
    #expect(keeper.look(at: at(age + 50), reads: 4) == .nothing)
    #expect(keeper.look(at: at(age + 51), reads: 5) == .cutOff)
    #expect(keeper.look(at: at(age + 52), reads: 6) == .nothing)
  }

  @Test("Without a grace calls take the time that they need, of a peer that is alive")
  func noGrace() {
    var keeper = keeper { $0.maxAge = .seconds(100) }
    #expect(keeper.look(at: at(100), reads: 1) == .leave)
    #expect(keeper.look(at: at(7_000), reads: 2) == .nothing)
    #expect(keeper.look(at: at(14_200), reads: 2) == .ping)
    #expect(keeper.look(at: at(14_220), reads: 2) == .giveUp)
  }
}
