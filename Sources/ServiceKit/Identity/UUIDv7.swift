package import Foundation
internal import Synchronization

/// Makes UUIDs of version 7 (RFC 9562 §5.7): time first, so that they sort by age.
///
/// 48 bits of Unix milliseconds, 12 bits of a counter that starts at random and grows inside one
/// millisecond, 62 random bits. Values of one generator grow strictly, also when the clock steps
/// back: then the last millisecond is kept until the clock has caught up.
package final class UUIDv7: Sendable {
  private let clock: any WallClock
  private let state: Mutex<State>

  private struct State {
    var millisecond: UInt64 = 0
    var counter: UInt16 = 0
    var random: any RandomNumberGenerator & Sendable
  }

  /// Makes a generator from injected time and randomness.
  package init(
    clock: any WallClock = SystemWallClock(),
    random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
  ) {
    self.clock = clock
    state = Mutex(State(random: random))
  }

  /// The next identifier.
  package func next() -> UUID {
    let now = UInt64(max(0, clock.now().timeIntervalSince1970 * 1_000))
    return state.withLock { state in
      if now > state.millisecond {
        state.millisecond = now
        // Half of the counter stays free for this millisecond.
        state.counter = UInt16.random(in: 0..<0x800, using: &state.random)
      } else if state.counter < 0xFFF {
        state.counter += 1
      } else {
        state.millisecond += 1
        state.counter = 0
      }
      return Self.uuid(
        millisecond: state.millisecond,
        counter: state.counter,
        random: state.random.next()
      )
    }
  }

  private static func uuid(millisecond: UInt64, counter: UInt16, random: UInt64) -> UUID {
    let high = millisecond << 16 | 0x7000 | UInt64(counter)
    let low = random & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    func byte(_ word: UInt64, _ index: UInt64) -> UInt8 {
      UInt8(truncatingIfNeeded: word >> (56 - 8 * index))
    }
    return UUID(
      uuid: (
        byte(high, 0), byte(high, 1), byte(high, 2), byte(high, 3),
        byte(high, 4), byte(high, 5), byte(high, 6), byte(high, 7),
        byte(low, 0), byte(low, 1), byte(low, 2), byte(low, 3),
        byte(low, 4), byte(low, 5), byte(low, 6), byte(low, 7)
      )
    )
  }
}
