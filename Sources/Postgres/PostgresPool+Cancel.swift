internal import EventLoop
internal import Logging

/// Cancelling what a session runs, by `pg_cancel_backend` on a connection kept for this.
///
/// libpq's `PQcancel` blocks without a time limit when the server hangs, which would hold threads of
/// the pool; a statement on another connection does the same without blocking.
extension PostgresPool {
  private static let controlIdle: Duration = .seconds(10)

  /// Asks the server to cancel the statement at the front of `connection`.
  func requestCancel(of connection: PostgresConnection) {
    connection.cancellation.request(at: loop.now)
    for unit in connection.units { unit.mayBeCollateral = true }
    cancelsToSend.append(connection.id)
    if control?.isOpen == true { sendCancels() } else { openControl() }
  }

  func sendCancels() {
    guard let control, control.isOpen else { return }
    let ids = cancelsToSend
    cancelsToSend = []
    for id in ids {
      guard let target = connections[id], target.oldestUnit?.isAbandoned == true else {
        connections[id]?.cancellation.answered(at: loop.now)
        continue
      }
      cancelsUnderWay += 1
      control.send(
        UnitOfWork(
          id: nextID(),
          work: .statement("SELECT pg_cancel_backend(\(target.backendPID))"),
          lease: nil,
          isIdempotent: true,
          now: loop.now,
          acquireTimeout: limits.cancelTimeout,
          timeout: limits.cancelTimeout,
          purpose: .cancel(id)
        ),
        owner: self
      )
    }
    closeControlLater()
  }

  func cancelAnswered(_ unit: UnitOfWork) {
    guard case .cancel(let id) = unit.purpose else { return }
    cancelsUnderWay -= 1
    guard let target = connections[id] else { return }
    target.cancellation.answered(at: loop.now)
    // The front may be another abandoned unit by now, or the request came too early.
    scheduleSweep(at: loop.now + CancelState.slack)
  }

  /// Without it, statements that do not end cost their connection after the cancel timeout.
  func controlLost(_ error: PostgresError) {
    control = nil
    cancelsUnderWay = 0
    cancelsToSend = []
    logger.warning("postgres cancel connection lost", metadata: ["error": "\(error)"])
  }

  private func closeControlLater() {
    _ = loop.schedule(after: Self.controlIdle) { [weak self] in
      self?.assumeIsolated { $0.closeIdleControl() }
    }
  }

  private func closeIdleControl() {
    guard cancelsUnderWay == 0, cancelsToSend.isEmpty else { return }
    _ = control?.close()
    control = nil
  }
}
