/// Delays between attempts to connect: growing, bounded, spread (grpc doc/connection-backoff.md).
struct Backoff {
  private let initial: Duration
  private let maximum: Duration
  private var current: Duration
  private static let factor = 1.6
  private static let jitter = 0.2

  init(initial: Duration, maximum: Duration) {
    self.initial = initial
    self.maximum = maximum
    current = initial
  }

  /// The next delay; `random` is 0…1.
  mutating func next(random: Double) -> Duration {
    let delay = current * (1 - Self.jitter + 2 * Self.jitter * random)
    current = min(maximum, current * Self.factor)
    return delay
  }

  mutating func reset() { current = initial }
}
