/// Where a connection's cancel request stands.
///
/// Pure.
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

  /// Whether a statement that is sent or runs at `now` may be hit.
  ///
  /// The clock is read only when there was a request at all.
  func isWindowOpen(at now: @autoclosure () -> ContinuousClock.Instant) -> Bool {
    if isRequested { return true }
    guard let windowEnd else { return false }
    return now() < windowEnd
  }

  mutating func request(at now: ContinuousClock.Instant) {
    requestedAt = now
  }

  mutating func answered(at now: ContinuousClock.Instant) {
    requestedAt = nil
    windowEnd = now + Self.slack
  }
}
