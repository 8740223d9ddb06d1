/// Keeps work away from a provider that fails.
///
///     closed ──5 failures within 10 s──▶ open ──10 s──▶ half open ──success──▶ closed
///                                          ▲────────────────┘ failure
///
/// Half open lets one piece of work through. Permanent failures of an input are no failures of the
/// provider and are not reported here.
struct CircuitBreaker: Sendable {
  private enum State {
    case closed
    case open(until: ContinuousClock.Instant)
    case halfOpen
  }

  private var state = State.closed
  private var failures: [ContinuousClock.Instant] = []
  /// Failures since the last success.
  private(set) var consecutiveFailures = 0

  private static let threshold = 5
  private static let window: Duration = .seconds(10)
  private static let pause: Duration = .seconds(10)

  /// Whether work may be given to the provider now; half open says so once.
  mutating func admits(at now: ContinuousClock.Instant) -> Bool {
    switch state {
    case .closed: return true
    case .halfOpen: return false
    case .open(let until):
      guard now >= until else { return false }
      state = .halfOpen
      return true
    }
  }

  /// Whether the provider is believed to work.
  var isClosed: Bool {
    if case .closed = state { true } else { false }
  }

  /// Work went well.
  mutating func succeeded() {
    state = .closed
    failures = []
    consecutiveFailures = 0
  }

  /// Work failed by the provider's fault.
  mutating func failed(at now: ContinuousClock.Instant) {
    consecutiveFailures += 1
    failures = failures.filter { now - $0 < Self.window } + [now]
    if case .halfOpen = state {
      state = .open(until: now + Self.pause)
    } else if failures.count >= Self.threshold {
      state = .open(until: now + Self.pause)
      failures = []
    }
  }

  /// Work ended without telling anything about the provider.
  mutating func abandoned() {
    if case .halfOpen = state { state = .closed }
  }
}
