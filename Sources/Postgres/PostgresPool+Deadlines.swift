internal import EventLoop

/// Deadlines and abandoned statements: one timer for all units of the pool.
///
/// The timer stands at the earliest instant at which something could be due; most units end before
/// theirs, so a unit costs one comparison.
extension PostgresPool {
  /// Makes sure that `sweep` runs at `instant` or earlier.
  func scheduleSweep(at instant: ContinuousClock.Instant) {
    if let sweepAt, sweepAt <= instant { return }
    sweepTimer?.cancel()
    sweepAt = instant
    sweepTimer = loop.schedule(after: instant - loop.now) { [weak self] in
      self?.assumeIsolated { $0.sweep() }
    }
  }

  private func sweep() {
    sweepAt = nil
    let now = loop.now
    var next: ContinuousClock.Instant?
    func due(_ instant: ContinuousClock.Instant) { next = min(next ?? instant, instant) }
    for unit in Array(waiting.values) {
      if unit.acquireDeadline <= now { giveUpWaiting(unit) } else { due(unit.acquireDeadline) }
    }
    for connection in Array(connections.values) {
      for unit in connection.units where !unit.isAbandoned {
        if unit.deadline <= now {
          abandon(unit, Self.timeoutError(unit))
        } else {
          due(unit.deadline)
        }
      }
      if let instant = pressAbandonedHead(of: connection, now: now) { due(instant) }
    }
    if let next { scheduleSweep(at: next) }
  }

  private func giveUpWaiting(_ unit: UnitOfWork) {
    waiting[unit.id] = nil
    _ = machine.gaveUp(unit.id)
    unit.finish(.failure(waitedTooLong(unit)))
  }

  /// Nothing was sent: that the time is over says something about the pool, not the statement.
  private func waitedTooLong(_ unit: UnitOfWork) -> PostgresError {
    if machine.openCount == 0 {
      let cause = lastConnectError.map { ": \($0.message)" } ?? ""
      return PostgresError(.unavailable, "no connection to the database" + cause)
    }
    return PostgresError(.poolExhausted, "no connection was free in time")
  }

  private static func timeoutError(_ unit: UnitOfWork) -> PostgresError {
    PostgresError(.timeout, "the statement did not end in time", sql: unit.sql)
  }

  // MARK: Abandoning

  /// The caller's task was cancelled.
  func cancel(_ id: UnitID) {
    let error = PostgresError(.cancelled, "the task was cancelled")
    if let unit = waiting.removeValue(forKey: id) {
      _ = machine.gaveUp(id)
      return unit.finish(.failure(error))
    }
    for connection in connections.values {
      for unit in connection.units where unit.id == id && !unit.isAbandoned {
        return abandon(unit, PostgresError(.cancelled, error.message, sql: unit.sql))
      }
    }
  }

  /// Answers the caller now; the statement itself is cancelled a little later if it still runs.
  private func abandon(_ unit: UnitOfWork, _ error: PostgresError) {
    let instant = loop.now + limits.cancelDelay
    unit.cancelAt = instant
    unit.finish(.failure(error))
    scheduleSweep(at: instant)
  }

  /// An abandoned unit that has come to the front of its connection runs now.
  func noticeAbandonedHead(of connection: PostgresConnection) {
    guard let unit = connection.oldestUnit, let cancelAt = unit.cancelAt else { return }
    let instant = max(cancelAt, loop.now + limits.cancelDelay)
    unit.cancelAt = instant
    scheduleSweep(at: instant)
  }

  /// Cancels the abandoned unit at the front, and drops the connection when that has no effect.
  ///
  /// - Returns: When to look again.
  private func pressAbandonedHead(
    of connection: PostgresConnection,
    now: ContinuousClock.Instant
  ) -> ContinuousClock.Instant? {
    guard let unit = connection.oldestUnit, let cancelAt = unit.cancelAt else { return nil }
    if now < cancelAt { return cancelAt }
    let last = cancelAt + limits.cancelTimeout
    guard now < last else {
      let text = "a statement neither ended nor could be cancelled"
      connection.lose(PostgresError(.connectionLost, text), owner: self)
      return nil
    }
    if !connection.cancellation.isRequested { requestCancel(of: connection) }
    return last
  }
}
