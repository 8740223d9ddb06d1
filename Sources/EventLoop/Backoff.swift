/// Pauses between attempts: doubled each time up to a limit, shortened at random.
package struct Backoff: Sendable {
  private let first: Duration
  private let longest: Duration
  /// Attempts that failed since the last success.
  package private(set) var failures = 0

  /// Makes pauses from `first` up to `longest`.
  package init(first: Duration, longest: Duration) {
    self.first = first
    self.longest = longest
  }

  /// The pause after one more failure.
  ///
  /// - Parameter jitter: 0…1; 1 gives the full pause, 0 half of it.
  /// - Returns: How long to wait.
  package mutating func next(jitter: Double = Double.random(in: 0...1)) -> Duration {
    let full = min(longest, first * (1 << min(failures, 20)))
    failures += 1
    return full * (0.5 + jitter / 2)
  }

  /// Notes a success.
  package mutating func reset() { failures = 0 }
}
