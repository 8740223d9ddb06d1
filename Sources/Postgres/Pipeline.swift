/// What is on its way on one connection, and what each arriving result means.
///
/// Pure.
///
/// A *unit of work* is one or more commands followed by one sync; the server runs a unit as one
/// implicit transaction, and its outcome is certain only when the sync has been answered. So a unit
/// is finished at its sync, never at its last row.
///
///     unit    = command … sync
///     command = (prepare | execute), answered by a result and an end
///     sync    = answered by itself, without an end
///
/// A result that does not fit the oldest step is a ``Action/violation``: the connection is unusable.
struct Pipeline<Ticket, Rows> {
  /// What the server still has to answer.
  enum Step {
    case prepare(StatementKey)
    /// `isKept` is false for commands whose result nobody reads, such as BEGIN.
    case execute(isKept: Bool)
    case sync(Ticket)
  }

  /// The next thing that libpq handed out.
  enum Input {
    case rows(Rows)
    case failed(PostgresError)
    /// The command was skipped, because an earlier one of its unit failed.
    case aborted
    case end
    case synced
  }

  enum Action {
    case none
    /// A statement is not known to the server after all.
    case forget(StatementKey)
    case finish(Ticket, Result<[Rows], PostgresError>)
    /// As `finish`, for the common unit of one statement.
    case finishOne(Ticket, Rows)
    case violation
  }

  private var steps = RingQueue<Step>(minimumCapacity: 64)
  private var tickets = RingQueue<Ticket>(minimumCapacity: 32)
  private var hasResult = false
  private var firstRows: Rows?
  private var moreRows: [Rows] = []
  private var error: PostgresError?

  var isEmpty: Bool { steps.isEmpty }
  /// Units that are not finished.
  var unitCount: Int { tickets.count }
  /// The unit that the server works on.
  var oldest: Ticket? { tickets.first }
  /// The error that the oldest unit has met so far.
  var pendingError: PostgresError? { error }

  /// All units, oldest first.
  var unfinished: [Ticket] { tickets.elements }

  mutating func sentPrepare(_ key: StatementKey) { steps.append(.prepare(key)) }
  mutating func sentExecute(isKept: Bool) { steps.append(.execute(isKept: isKept)) }
  mutating func sentSync(_ ticket: Ticket) {
    steps.append(.sync(ticket))
    tickets.append(ticket)
  }

  mutating func received(_ input: Input) -> Action {
    switch (steps.first, input) {
    case (.sync(let ticket), .synced):
      hasResult = false
      steps.popFirst()
      tickets.popFirst()
      return finish(ticket)
    case (.sync, .failed(let failure)) where !hasResult:
      // The commit that the sync stands for has failed: a deferred constraint.
      if error == nil { error = failure }
      hasResult = true
      return .none
    case (.sync, .end) where hasResult:
      hasResult = false
      return .none
    case (.prepare, .end), (.execute, .end):
      guard hasResult else { return .violation }
      hasResult = false
      steps.popFirst()
      return .none
    case (.prepare(let key), _) where !hasResult:
      hasResult = true
      return receivedPrepare(key, input)
    case (.execute(let isKept), _) where !hasResult:
      hasResult = true
      return receivedExecute(isKept: isKept, input)
    default:
      return .violation
    }
  }

  private mutating func receivedPrepare(_ key: StatementKey, _ input: Input) -> Action {
    switch input {
    case .rows: return .none
    case .failed(let failure):
      if error == nil { error = failure }
      return .forget(key)
    case .aborted: return .forget(key)
    case .end, .synced: return .violation
    }
  }

  private mutating func receivedExecute(isKept: Bool, _ input: Input) -> Action {
    switch input {
    case .rows(let rows):
      if !isKept { return .none }
      if firstRows == nil { firstRows = rows } else { moreRows.append(rows) }
      return .none
    case .failed(let failure):
      if error == nil { error = failure }
      return .none
    case .aborted: return .none
    case .end, .synced: return .violation
    }
  }

  private mutating func finish(_ ticket: Ticket) -> Action {
    defer {
      firstRows = nil
      error = nil
      if !moreRows.isEmpty { moreRows = [] }
    }
    if let error { return .finish(ticket, .failure(error)) }
    guard let firstRows else { return .finish(ticket, .success([])) }
    guard !moreRows.isEmpty else { return .finishOne(ticket, firstRows) }
    return .finish(ticket, .success([firstRows] + moreRows))
  }
}
