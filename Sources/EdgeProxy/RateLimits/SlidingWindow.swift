/// Counts requests in a sliding window of time.
///
/// The window is cut into 20 slots; the one that is partly outside still counts in full. So in no
/// span of the window's length do more requests pass than the limit says, wherever it begins, and at
/// most a twentieth of the window is forgone. (One number for each bucket, as in GCRA, would let
/// nearly twice the limit pass at first: the burst, and what refills meanwhile.)
///
/// A value without a clock: every call says what time it is, in microseconds since some fixed start.
struct SlidingWindow: Sendable, Equatable {
  /// Slots of a whole window.
  static let slots = 20

  /// Number of the newest slot that was counted in.
  private var newest: Int64
  /// Requests in each slot, newest first; one more than a window has.
  private var counts: [UInt32]

  init() {
    newest = 0
    counts = [UInt32](repeating: 0, count: Self.slots + 1)
  }

  /// Forgets the slots that have left the window.
  mutating func advance(to now: Int64, _ window: RatePolicy.Window) {
    let age = now / Self.width(window) - newest
    // A clock that was set back counts on in the newest slot.
    guard age > 0 else { return }
    newest += age
    let kept = counts.prefix(max(0, counts.count - Int(clamping: age)))
    let gap = [UInt32](repeating: 0, count: counts.count - kept.count)
    counts = gap + kept
  }

  /// Requests that count now.
  var used: Int { counts.reduce(0) { $0 + Int($1) } }

  /// Whether nothing is counted any more.
  var isEmpty: Bool { counts.allSatisfy { $0 == 0 } }

  /// Microseconds until one more request has room; 0 when it has.
  func wait(at now: Int64, _ window: RatePolicy.Window) -> Int64 {
    var rest = used
    guard rest >= window.limit else { return 0 }
    for place in counts.indices.reversed() {
      rest -= Int(counts[place])
      if rest < window.limit { return left(place, at: now, window) }
    }
    return 0
  }

  /// Microseconds until the oldest requests leave; 0 without any.
  func reset(at now: Int64, _ window: RatePolicy.Window) -> Int64 {
    guard let oldest = counts.lastIndex(where: { $0 > 0 }) else { return 0 }
    return left(oldest, at: now, window)
  }

  /// Counts one request in the newest slot.
  mutating func spend() {
    counts[0] += 1
  }

  private func left(_ place: Int, at now: Int64, _ window: RatePolicy.Window) -> Int64 {
    (newest - Int64(place) + Int64(Self.slots) + 1) * Self.width(window) - now
  }

  private static func width(_ window: RatePolicy.Window) -> Int64 {
    Int64(window.seconds) * 1_000_000 / Int64(slots)
  }
}
