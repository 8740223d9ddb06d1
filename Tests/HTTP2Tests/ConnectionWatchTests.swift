import EventLoop
import Testing

@testable import HTTP2

@Suite("Connection watch") struct ConnectionWatchTests {
  private let start = MonotonicInstant.now
  private var limits = HTTP2TimeLimits()

  private func progress(
    settled: Bool = true,
    opened: Int = 0,
    busy: Int = 0,
    block: Int? = nil
  ) -> ConnectionWatch.Progress {
    .init(isSettled: settled, openedStreams: opened, busy: busy, openBlock: block)
  }

  @Test("SETTINGS may come until the header time is over")
  func preface() {
    var watch = ConnectionWatch(limits: limits, opened: start)
    let before = watch.look(at: start + .seconds(9), progress(settled: false))
    let after = watch.look(at: start + .seconds(10), progress(settled: false))
    #expect(before == nil)
    #expect(after == .preface)
  }

  @Test("A first request is asked for only where the limits say so", arguments: [true, false])
  func firstRequest(isRequired: Bool) {
    var limits = limits
    limits.requiresEarlyRequest = isRequired
    var watch = ConnectionWatch(limits: limits, opened: start)
    let verdict = watch.look(at: start + .seconds(10), progress())
    #expect(verdict == (isRequired ? .preface : nil))
  }

  @Test("A header block that stays open is late, blocks that come and go are not")
  func headerBlock() {
    var watch = ConnectionWatch(limits: limits, opened: start)
    var verdicts: [HTTP2Timeout?] = []
    for second in 0..<30 {
      let now = start + .seconds(second)
      verdicts.append(watch.look(at: now, progress(opened: 1, busy: 1, block: second / 5)))
    }
    #expect(verdicts.allSatisfy { $0 == nil })
    let before = watch.look(at: start + .seconds(34), progress(opened: 1, busy: 1, block: 5))
    let after = watch.look(at: start + .seconds(35), progress(opened: 1, busy: 1, block: 5))
    #expect(before == nil)
    #expect(after == .headers)
  }

  @Test("A connection is idle when no stream was open for the idle time")
  func idle() {
    var watch = ConnectionWatch(limits: limits, opened: start)
    let working = watch.look(at: start + .seconds(100), progress(opened: 1, busy: 1))
    // A stream that came and went between two looks is work, too.
    let between = watch.look(at: start + .seconds(150), progress(opened: 2))
    let before = watch.look(at: start + .seconds(209), progress(opened: 2))
    let after = watch.look(at: start + .seconds(210), progress(opened: 2))
    #expect([working, between, before, after] == [nil, nil, nil, .idle])
  }

  @Test("An answer that is hardly taken stalls, one that is taken slowly does not")
  func writeStall() {
    var slow = WriteWatch()
    var dripped = WriteWatch()
    var verdicts: [Bool] = []
    for second in 0..<90 {
      let now = start + .seconds(second)
      verdicts.append(slow.isStalled(at: now, sent: second * 100, pending: 5_000, limits))
      let isStalled = dripped.isStalled(at: now, sent: second * 2, pending: 5_000, limits)
      #expect(isStalled == (second >= 30))
    }
    #expect(verdicts.allSatisfy { !$0 })
  }

  @Test("The stall time begins anew when nothing waits")
  func writeRest() {
    var watch = WriteWatch()
    let verdicts = [(0, 10), (20, 0), (25, 10), (54, 10), (55, 10)].map { second, pending in
      watch.isStalled(at: start + .seconds(second), sent: 0, pending: pending, limits)
    }
    #expect(verdicts == [false, false, false, false, true])
  }

  @Test("A body may pause for the pause time and take the body time in all")
  func body() {
    var silent = BodyWatch()
    let pauses = [0, 29, 30].map { second in
      silent.isLate(at: start + .seconds(second), received: 5, isOwed: true, limits)
    }
    #expect(pauses == [false, false, true])
    var dripping = BodyWatch()
    let drips = (0...60).map { second in
      dripping.isLate(at: start + .seconds(second), received: second, isOwed: true, limits)
    }
    #expect(drips.firstIndex(of: true) == 60)
  }

  @Test("A body that we hold back ourselves is not late")
  func bodyHeldBack() {
    var watch = BodyWatch()
    let verdicts = [(0, true), (20, false), (40, true), (69, true), (70, true)].map {
      second,
      isOwed in
      watch.isLate(at: start + .seconds(second), received: 0, isOwed: isOwed, limits)
    }
    #expect(verdicts == [false, false, false, false, true])
  }
}
