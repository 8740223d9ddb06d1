#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Times a closure and counts its allocations.
struct BenchClock {
  let milliseconds: Int
  private let allocations: (@convention(c) () -> Int)?

  init(milliseconds: Int) {
    self.milliseconds = milliseconds
    allocations = dlsym(nil, "bench_allocations").map {
      unsafeBitCast($0, to: (@convention(c) () -> Int).self)
    }
  }

  /// Prints the nanoseconds of one call, of the best of five parts, and its allocations.
  func measure(_ name: String, _ operation: String, _ body: () throws -> Int) rethrows {
    var sum = 0
    for _ in 0..<200 { sum &+= try body() }
    let before = allocations?() ?? 0
    for _ in 0..<100 { sum &+= try body() }
    let allocated = Double((allocations?() ?? 0) - before) / 100
    var best = Double.infinity
    for _ in 0..<5 { best = min(best, try part(body, &sum)) }
    precondition(sum != 1, "the work was done")
    print("\(name)\t\(operation)\t\(best)\t\(allocated)")
  }

  private func part(_ body: () throws -> Int, _ sum: inout Int) rethrows -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    var calls = 0
    var elapsed = Duration.zero
    while elapsed < .milliseconds(milliseconds / 5) {
      for _ in 0..<100 { sum &+= try body() }
      calls += 100
      elapsed = clock.now - start
    }
    let (seconds, attoseconds) = elapsed.components
    return (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(calls)
  }
}
