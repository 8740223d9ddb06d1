internal import EventLoop
internal import Logging

/// Transactions: one connection for one caller until COMMIT or ROLLBACK.
extension PostgresPool {
  /// Waits for a connection that nobody else uses.
  ///
  /// - Parameters:
  ///   - begin: Sent in front of the first statement, in the same round trip; nil for work outside of
  ///     a transaction.
  ///   - timeout: How long to wait, at most ``PostgresLimits/acquireTimeout``.
  /// - Returns: The lease, to be ended by `commit`, `rollback`, `release` or `discard`.
  /// - Throws: ``PostgresError`` when there is no connection in time.
  func acquireLease(begin: String?, timeout: Duration) async throws(PostgresError) -> UnitID {
    let output = try await run(.lease, timeout: timeout)
    guard case .lease(let id) = output else {
      throw PostgresError(.library, "a lease was answered with rows")
    }
    leases[id]?.begin = begin
    return id
  }

  /// Sends a unit of a transaction, with its BEGIN if it is the first.
  func submitLeased(_ unit: UnitOfWork) {
    guard let id = unit.lease, let lease = leases[id], !lease.isEnding else {
      return unit.finish(.failure(PostgresError(.closed, "the transaction has ended")))
    }
    if let loss = lease.loss { return unit.finish(.failure(loss)) }
    guard let connection = connections[lease.connection] else {
      return unit.finish(.failure(PostgresError(.connectionLost, "the connection is closed")))
    }
    machine.leasedUnitStarted(on: connection.id, now: loop.now)
    send(unit, on: connection)
  }

  /// Runs statements of a transaction.
  func run(
    _ queries: [PostgresQuery],
    inTransaction id: UnitID,
    timeout: Duration?
  ) async throws(PostgresError) -> UnitOfWork.Output {
    if let begin = leases[id]?.begin {
      leases[id]?.begin = nil
      return try await run(.beginning(begin, queries), lease: id, timeout: timeout)
    }
    if queries.count == 1 {
      return try await run(.statement(queries[0]), lease: id, timeout: timeout)
    }
    return try await run(.batch(queries), lease: id, timeout: timeout)
  }

  /// How a transaction ended.
  enum Ending {
    case committed
    /// COMMIT was never sent: the database holds nothing of it.
    case lostBefore(PostgresError)
    /// COMMIT was sent and failed, or nobody knows what became of it.
    case failed(PostgresError)
  }

  /// Commits and gives the connection back.
  func commit(_ id: UnitID) async -> Ending {
    if let loss = leases[id]?.loss {
      release(id)
      return .lostBefore(loss)
    }
    guard leases[id]?.begin == nil else {
      release(id)
      return .committed
    }
    do {
      // Not cancellable: a caller that goes away now must not leave the outcome open.
      let output = try await run(.statement("COMMIT"), lease: id, isCancellable: false)
      release(id)
      if output.list.first?.commandTag == "COMMIT" { return .committed }
      return .failed(PostgresError(.notCommitted, "a statement of the transaction had failed"))
    } catch {
      rollback(id)
      return .failed(error)
    }
  }

  /// Rolls back in the background and gives the connection back when that is done.
  func rollback(_ id: UnitID) {
    guard let lease = leases[id], !lease.isEnding else { return }
    guard lease.loss == nil, lease.begin == nil, let connection = connections[lease.connection]
    else { return release(id) }
    leases[id]?.isEnding = true
    machine.leasedUnitStarted(on: connection.id, now: loop.now)
    let unit = UnitOfWork(
      id: nextID(),
      work: .statement("ROLLBACK"),
      lease: id,
      isIdempotent: false,
      now: loop.now,
      acquireTimeout: limits.cancelTimeout,
      timeout: limits.cancelTimeout + limits.cancelTimeout,
      purpose: .rollback(id)
    )
    send(unit, on: connection)
  }

  func rolledBack(
    _ id: UnitID,
    on connection: PostgresConnection,
    _ result: Result<UnitOfWork.Output, PostgresError>
  ) {
    guard case .failure(let error) = result else { return release(id) }
    leases[id] = nil
    connection.lose(
      PostgresError(.connectionLost, "ROLLBACK failed: \(error.message)"),
      owner: self
    )
  }

  /// Gives a connection without an open transaction back.
  func release(_ id: UnitID) {
    guard let lease = leases.removeValue(forKey: id), lease.loss == nil else { return }
    perform(machine.leaseEnded(on: lease.connection, now: loop.now))
  }

  /// Closes the connection of a lease, and with it the session and its locks.
  func discard(_ id: UnitID) {
    guard let lease = leases.removeValue(forKey: id), lease.loss == nil else { return }
    connections[lease.connection]?.lose(
      PostgresError(.closed, "the session was ended"),
      owner: self
    )
  }
}
