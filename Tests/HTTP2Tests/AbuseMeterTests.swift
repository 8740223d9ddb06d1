import EventLoop
import Testing

@testable import HTTP2

@Suite("Abuse meter") struct AbuseMeterTests {
  private let start = MonotonicInstant.now

  @Test("Every kind allows its burst and refuses one more", arguments: AbuseKind.allCases)
  func burst(kind: AbuseKind) {
    var limits = AbuseLimits()
    limits.resetsReceived = 5
    limits.resetsSent = 5
    limits.settings = 5
    limits.pings = 5
    limits.emptyData = 5
    limits.useless = 5
    // The last oversized block is the one that ends the connection.
    var meter = AbuseMeter(limits: limits, maxOversizedBlocks: 6)
    let answers = (0..<6).map { _ in meter.count(kind, at: start) }
    #expect(answers == [true, true, true, true, true, false])
  }

  @Test("An empty bucket is full again after the refill time")
  func refill() {
    var limits = AbuseLimits()
    limits.pings = 2
    var meter = AbuseMeter(limits: limits, maxOversizedBlocks: 3)
    for _ in 0..<3 { _ = meter.count(.pings, at: start) }
    let later = start + limits.refill
    let answers = (0..<3).map { _ in meter.count(.pings, at: later) }
    #expect(answers == [true, true, false])
  }

  @Test("Our data calls for window updates, up to a limit")
  func windowUpdates() {
    var limits = AbuseLimits()
    limits.windowUpdatesPerData = 2
    limits.useless = 5
    var meter = AbuseMeter(limits: limits, maxOversizedBlocks: 3)
    let before = meter.takeExpectedWindowUpdate()
    #expect(!before)
    meter.didSendData()
    let afterOne = (0..<3).map { _ in meter.takeExpectedWindowUpdate() }
    #expect(afterOne == [true, true, false])
    for _ in 0..<10 { meter.didSendData() }
    let afterMany = (0..<6).filter { _ in meter.takeExpectedWindowUpdate() }
    #expect(afterMany.count == 5)
  }

  @Test("Kinds do not share a bucket")
  func independent() {
    var limits = AbuseLimits()
    limits.pings = 1
    var meter = AbuseMeter(limits: limits, maxOversizedBlocks: 3)
    let answers = [AbuseKind.pings, .pings, .settings].map { meter.count($0, at: start) }
    #expect(answers == [true, false, true])
  }
}
