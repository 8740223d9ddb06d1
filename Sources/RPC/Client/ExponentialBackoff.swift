/// Pauses between attempts to connect (grpc doc/connection-backoff.md) and between retries (gRPC
/// proposal A6).
///
/// The first pause is `initial`, each next one `multiplier` times as long up to `longest`, and each is
/// moved at random by up to `jitter` of its length. Those of a connection count from the start of the
/// attempt.
package struct ExponentialBackoff: Sendable {
  /// Pause after the first failure.
  package var initial: Duration
  /// Longest pause before jitter.
  package var longest: Duration
  package var multiplier: Double
  /// Share of a pause by which it is moved, 0…1.
  package var jitter: Double
  private var current: Duration?

  /// The defaults are those of gRPC.
  package init(
    initial: Duration = .seconds(1),
    longest: Duration = .seconds(120),
    multiplier: Double = 1.6,
    jitter: Double = 0.2
  ) {
    self.initial = initial
    self.longest = longest
    self.multiplier = multiplier
    self.jitter = jitter
  }

  /// The pause after one more failure.
  ///
  /// - Parameter random: 0…1; 0.5 leaves the pause as it is.
  /// - Returns: How long after the start of the failed attempt the next one may start.
  package mutating func next(random: Double) -> Duration {
    let pause = min(current ?? initial, longest)
    current = min(pause * multiplier, longest)
    return pause * (1 + jitter * (2 * random - 1))
  }

  /// Notes a success.
  package mutating func reset() { current = nil }
}
