/// Pauses between attempts: doubled each time up to a limit, shortened at random.
struct Backoff: Sendable {
  private let first: Duration
  private let longest: Duration
  private(set) var failures = 0

  init(first: Duration, longest: Duration) {
    self.first = first
    self.longest = longest
  }

  /// The pause after one more failure.
  ///
  /// - Parameter jitter: 0…1; 1 gives the full pause, 0 half of it.
  mutating func next(jitter: Double) -> Duration {
    let full = min(longest, first * (1 << min(failures, 20)))
    failures += 1
    return full * (0.5 + jitter / 2)
  }

  mutating func reset() { failures = 0 }
}
