internal import Synchronization

/// Keeps an outage from filling the log: one line at its start, then one in ten seconds.
final class OutageLog: Sendable {
  private static let pause: Duration = .seconds(10)
  private let lastLine = Mutex<ContinuousClock.Instant?>(nil)

  /// Whether a line is due now.
  func shouldLog() -> Bool {
    lastLine.withLock { last in
      let now = ContinuousClock.now
      if let last, last.duration(to: now) < Self.pause { return false }
      last = now
      return true
    }
  }

  /// The outage is over.
  func end() {
    lastLine.withLock { $0 = nil }
  }
}
