/// Identifies a unit of work, a lease or a waiter within one pool; never used twice.
typealias UnitID = UInt64

/// Statements that share one fate, and the caller who waits for them.
///
/// Confined to its pool's loop.
final class UnitOfWork {
  enum Work {
    case statement(PostgresQuery)
    /// Statements under one sync: all of them take effect, or none.
    case batch([PostgresQuery])
    /// BEGIN in front of the first work of a transaction, under the same sync.
    case beginning(String, [PostgresQuery])
    /// Statements as one text, by the simple protocol: only alone on a connection.
    case script(String)
    /// No statement: the caller wants a connection for itself.
    case lease
  }

  enum Output: Sendable {
    case rows([PostgresRows])
    case single(PostgresRows)
    case lease(UnitID)

    var list: [PostgresRows] {
      switch self {
      case .rows(let rows): rows
      case .single(let rows): [rows]
      case .lease: []
      }
    }
  }

  typealias Completion = UnsafeContinuation<Result<Output, PostgresError>, Never>

  let id: UnitID
  let work: Work
  /// The lease whose connection this must run on.
  let lease: UnitID?
  /// Whether running it twice is the same as running it once.
  let isIdempotent: Bool
  /// When the caller gives up waiting for a connection.
  var acquireDeadline: ContinuousClock.Instant
  /// When the caller gives up.
  let deadline: ContinuousClock.Instant
  // Unsafe to save an allocation for each statement: `finish` alone resumes it, and forgets it.
  private var completion: Completion?

  /// When the server should be asked to cancel it; set once nobody waits for the result.
  var cancelAt: ContinuousClock.Instant?
  /// Whether a cancel request that was meant for a neighbour may have hit it.
  var mayBeCollateral = false
  /// How often it was sent.
  var attempts = 0
  /// What the pool does when it ends, apart from answering the caller.
  let purpose: Purpose

  enum Purpose: Equatable {
    case caller
    /// ROLLBACK of a lease that is over then.
    case rollback(UnitID)
    /// A request to cancel what the connection with this number runs.
    case cancel(Int)
  }

  init(
    id: UnitID,
    work: Work,
    lease: UnitID?,
    isIdempotent: Bool,
    now: ContinuousClock.Instant,
    acquireTimeout: Duration,
    timeout: Duration,
    purpose: Purpose = .caller,
    completion: Completion? = nil
  ) {
    self.id = id
    self.work = work
    self.lease = lease
    self.isIdempotent = isIdempotent
    self.purpose = purpose
    deadline = now + timeout
    acquireDeadline = min(now + acquireTimeout, deadline)
    self.completion = completion
  }

  // Only when a stopped loop drops what it held: nobody may wait for ever.
  deinit { finish(.failure(PostgresError(.closed, "the event loop has stopped"))) }

  /// Whether the caller has its answer already.
  var isAbandoned: Bool { cancelAt != nil }

  /// The text for error messages.
  var sql: String? {
    switch work {
    case .statement(let query): query.sql
    case .batch(let queries), .beginning(_, let queries): queries.first?.sql
    case .script, .lease: nil
    }
  }

  /// Gives the caller its answer; a second one is ignored.
  func finish(_ result: Result<Output, PostgresError>) {
    guard let completion else { return }
    self.completion = nil
    completion.resume(returning: result)
  }
}
