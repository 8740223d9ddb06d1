internal import EventLoop

/// When a name is looked up again.
///
/// No I/O.
///
///     idle → resolving → idle (answered)
///      └→ waiting ↗  └→ waiting (failed: exponential backoff)
///
/// A request soon after an answer waits until `minInterval` is over, so that a peer that is down does
/// not make us ask the name server at each attempt; requests while one is under way join it.
struct ResolutionSchedule {
  enum Action: Equatable {
    case none
    case resolve
    /// Call ``timerFired()`` after this time.
    case wait(Duration)
  }

  private enum State { case idle, resolving, waiting }

  private let minInterval: Duration
  private var backoff: ExponentialBackoff
  private var state = State.idle
  private var lastAnswer: MonotonicInstant?

  init(minInterval: Duration, backoff: ExponentialBackoff) {
    self.minInterval = minInterval
    self.backoff = backoff
  }

  /// Somebody wants fresh addresses.
  mutating func requested(at now: MonotonicInstant) -> Action {
    guard state == .idle else { return .none }
    if let lastAnswer, now < lastAnswer + minInterval {
      state = .waiting
      return .wait(now.duration(to: lastAnswer + minInterval))
    }
    state = .resolving
    return .resolve
  }

  mutating func timerFired() -> Action {
    guard state == .waiting else { return .none }
    state = .resolving
    return .resolve
  }

  mutating func answered(at now: MonotonicInstant) {
    state = .idle
    lastAnswer = now
    backoff.reset()
  }

  /// The look-up has failed; `random`, 0…1, is for the jitter.
  mutating func failed(random: Double) -> Action {
    state = .waiting
    return .wait(backoff.next(random: random))
  }
}
