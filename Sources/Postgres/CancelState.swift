/// Where a connection's cancel request stands. Pure.
///
/// The server cancels whatever a session runs at the moment the request arrives, so that a
/// neighbour's statement may be hit: every unit that is on its way while the window is open counts as
/// possible collateral and is sent again when it failed for this reason alone.
struct CancelState {
  /// How long after the server's answer a signal may still take effect.
  static let slack: Duration = .milliseconds(200)

  private var requestedAt: ContinuousClock.Instant?
  private var windowEnd: ContinuousClock.Instant?

  /// Whether a request is on its way.
  var isRequested: Bool { requestedAt != nil }

  func isWindowOpen(at now: ContinuousClock.Instant) -> Bool {
    isRequested || windowEnd.map { now < $0 } ?? false
  }

  mutating func request(at now: ContinuousClock.Instant) {
    requestedAt = now
  }

  mutating func answered(at now: ContinuousClock.Instant) {
    requestedAt = nil
    windowEnd = now + Self.slack
  }
}
