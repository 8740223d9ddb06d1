/// How much a transaction sees of others that run at the same time.
package enum PostgresIsolation: String, Sendable {
  /// Each statement sees what was committed before it began.
  case readCommitted = "READ COMMITTED"
  /// All statements see the state at the first one.
  case repeatableRead = "REPEATABLE READ"
  /// As if transactions ran one after the other; conflicts fail and are retried.
  case serializable = "SERIALIZABLE"
}

/// An open transaction: its connection belongs to it alone.
///
/// Valid only inside its body.
package struct PostgresTransaction: Sendable {
  private let pool: PostgresPool
  private let lease: UnitID
  /// Which try this is, from 1.
  package let attempt: Int

  init(pool: PostgresPool, lease: UnitID, attempt: Int) {
    self.pool = pool
    self.lease = lease
    self.attempt = attempt
  }

  /// Runs one statement.
  ///
  /// After an error nothing but the end of the transaction is possible: let it leave the body.
  nonisolated(nonsending) package func query(
    _ query: PostgresQuery,
    timeout: Duration? = nil
  ) async throws(PostgresError) -> PostgresRows {
    try query.check()
    return try await pool.run([query], inTransaction: lease, timeout: timeout).only()
  }

  /// Runs statements in one round trip; the first error skips the rest.
  nonisolated(nonsending) package func batch(
    _ queries: [PostgresQuery],
    timeout: Duration? = nil
  ) async throws(PostgresError) -> [PostgresRows] {
    guard !queries.isEmpty else { return [] }
    for query in queries { try query.check() }
    return try await pool.run(queries, inTransaction: lease, timeout: timeout).list
  }
}

extension PostgresClient {
  /// Runs `body` in a transaction and commits it; an error rolls it back and leaves.
  ///
  /// A conflict (40001, 40P01), or a connection lost before COMMIT was sent, runs the body again, at
  /// most ``PostgresLimits/transactionRetries`` times with random pauses: the database holds nothing
  /// of the failed try, so the body must have no other effects, or be marked `retryable: false`.
  /// A connection lost at COMMIT leaves the outcome open and is retried only when `idempotent`.
  ///
  /// - Parameters:
  ///   - isolation: What it sees of others.
  ///   - readOnly: Whether the server should refuse writes.
  ///   - retryable: Whether the body may run again.
  ///   - idempotent: Whether committing twice is the same as once.
  ///   - body: The statements; it must not keep the transaction.
  /// - Returns: What the body returned in the run that was committed.
  /// - Throws: ``PostgresError``, or what the body threw.
  nonisolated(nonsending) package func transaction<Result>(
    isolation: PostgresIsolation = .readCommitted,
    readOnly: Bool = false,
    retryable: Bool = true,
    idempotent: Bool = false,
    _ body: (PostgresTransaction) async throws -> Result
  ) async throws -> Result {
    let begin =
      "BEGIN ISOLATION LEVEL \(isolation.rawValue)\(readOnly ? " READ ONLY" : "")"
    var attempt = 1
    while true {
      let pool = pool
      let lease = try await pool.acquireLease(begin: begin, timeout: limits.statementTimeout)
      let transaction = PostgresTransaction(pool: pool, lease: lease, attempt: attempt)
      let outcome = await run(body, transaction, pool, lease)
      switch outcome {
      case .committed(let result): return result
      case .failed(let error, let isCommitting):
        let mayRepeat =
          retryable && attempt <= limits.transactionRetries
          && Self.isRepeatable(error, isCommitting: isCommitting, idempotent: idempotent)
        guard mayRepeat, !Task.isCancelled else { throw error }
      }
      // 5 ms, 10 ms, 20 ms, each shortened or doubled at random so that rivals part.
      let pause = Duration.milliseconds(5 << (attempt - 1)) * Double.random(in: 0.5...2)
      try await Task.sleep(for: pause)
      attempt += 1
    }
  }

  private enum Outcome<Result> {
    case committed(Result)
    case failed(any Error, isCommitting: Bool)
  }

  nonisolated(nonsending) private func run<Result>(
    _ body: (PostgresTransaction) async throws -> Result,
    _ transaction: PostgresTransaction,
    _ pool: PostgresPool,
    _ lease: UnitID
  ) async -> Outcome<Result> {
    let result: Result
    do {
      result = try await body(transaction)
    } catch {
      await pool.rollback(lease)
      return .failed(error, isCommitting: false)
    }
    switch await pool.commit(lease) {
    case .committed: return .committed(result)
    case .lostBefore(let error): return .failed(error, isCommitting: false)
    case .failed(let error): return .failed(error, isCommitting: true)
    }
  }

  private static func isRepeatable(
    _ error: any Error,
    isCommitting: Bool,
    idempotent: Bool
  ) -> Bool {
    guard let error = error as? PostgresError else { return false }
    if error.isConflict { return true }
    guard error.isConnectionFailure else { return false }
    return !isCommitting || idempotent
  }
}
