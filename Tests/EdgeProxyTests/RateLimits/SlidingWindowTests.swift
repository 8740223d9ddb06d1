import Testing

@testable import EdgeProxy

@Suite("Sliding window")
struct SlidingWindowTests {
  private let minute = RatePolicy.Window(limit: 30, seconds: 60)

  private func bucket(_ window: RatePolicy.Window, _ key: String = "k") -> RateBucket {
    RateBucket(key: key, policy: "p", window: window)
  }

  @Test("The limit passes at once, one more waits until the first leaves")
  func burst() {
    let limiter = LocalLimiter()
    let start: Int64 = 1_000_000_000
    for count in 1...30 {
      let decision = limiter.decide([bucket(minute)], at: start)
      #expect(decision.isAllowed)
      #expect(decision.states[0].remaining == 30 - count)
    }
    let refused = limiter.decide([bucket(minute)], at: start)
    #expect(!refused.isAllowed)
    #expect((60_000...63_000).contains(refused.retryMilliseconds))
    let later = start + Int64(refused.retryMilliseconds) * 1000
    #expect(!limiter.decide([bucket(minute)], at: later - 5_000).isAllowed)
    #expect(limiter.decide([bucket(minute)], at: later).isAllowed)
  }

  @Test("No window of time holds more than the limit, however the requests come")
  func anyWindow() {
    var random = SystemRandomNumberGenerator()
    for window in [minute, RatePolicy.Window(limit: 10, seconds: 1)] {
      let limiter = LocalLimiter()
      var now: Int64 = 5_000_000_000
      var passed: [Int64] = []
      for _ in 0..<20_000 {
        now += Int64.random(in: 0...Int64(window.seconds) * 1_000_000 / 20, using: &random)
        if limiter.decide([bucket(window)], at: now).isAllowed { passed.append(now) }
      }
      let length = Int64(window.seconds) * 1_000_000
      var first = 0
      for (index, time) in passed.enumerated() {
        while passed[first] <= time - length { first += 1 }
        #expect(index - first + 1 <= window.limit)
      }
      // Little is forgone: a steady crowd gets at least 95 % of the limit minus the last slot.
      let share = Double(passed.count) / (Double(now - 5_000_000_000) / Double(length))
      #expect(share > Double(window.limit) * 0.9)
    }
  }

  @Test("Nothing is spent unless every bucket has room")
  func together() {
    let limiter = LocalLimiter()
    let small = bucket(RatePolicy.Window(limit: 1, seconds: 60), "small")
    let large = bucket(RatePolicy.Window(limit: 10, seconds: 60), "large")
    #expect(limiter.decide([large, small], at: 1).isAllowed)
    for _ in 0..<5 { #expect(!limiter.decide([large, small], at: 1).isAllowed) }
    #expect(limiter.decide([large], at: 1).states[0].remaining == 8)
  }

  @Test("A clock set back neither traps nor forgives")
  func clockBack() {
    let limiter = LocalLimiter()
    for _ in 0..<30 { #expect(limiter.decide([bucket(minute)], at: 900_000_000).isAllowed) }
    #expect(!limiter.decide([bucket(minute)], at: 1).isAllowed)
  }

  @Test("The number of buckets stays bounded")
  func bounded() {
    let limiter = LocalLimiter(maximum: 10)
    for index in 0..<1000 {
      #expect(limiter.decide([bucket(minute, "k\(index)")], at: Int64(index)).isAllowed)
    }
  }
}
