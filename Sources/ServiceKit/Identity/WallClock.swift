package import Foundation
internal import Synchronization

/// The time of day, injected so that tests decide it.
///
/// For what is stored or shown. Timeouts and leases use the monotonic clock or the database's.
package protocol WallClock: Sendable {
  /// The current moment.
  func now() -> Date
}

/// The machine's clock.
package struct SystemWallClock: WallClock {
  /// Makes the clock.
  package init() {}
  package func now() -> Date { Date() }
}

/// A clock that stands until a test moves it.
package final class ManualWallClock: WallClock {
  private let moment: Mutex<Date>

  /// Starts at `start`.
  package init(_ start: Date = Date(timeIntervalSince1970: 1_700_000_000)) {
    moment = Mutex(start)
  }

  package func now() -> Date { moment.withLock { $0 } }

  /// Moves the clock by `step`, which may be negative.
  package func advance(by step: Duration) {
    let seconds = Double(step.components.seconds)
    let fraction = Double(step.components.attoseconds) / 1e18
    moment.withLock { $0 = $0.addingTimeInterval(seconds + fraction) }
  }
}
