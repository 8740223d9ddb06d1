internal import CLibpq
internal import EventLoop

/// Whoever owns connections: a pool or a listener.
///
/// An actor pinned to the loop of its connections.
protocol ConnectionOwner: Actor {
  /// A socket is ready; enters the actor and calls ``PostgresConnection/ready(_:owner:)``.
  nonisolated func connectionIsReady(_ id: Int, _ events: FDEvents)

  func connectionOpened(_ connection: PostgresConnection)
  func connectionFinished(
    _ unit: UnitOfWork,
    _ result: Result<UnitOfWork.Output, PostgresError>,
    on connection: PostgresConnection
  )
  func connectionReceived(channel: String, payload: String)
  /// The connection is closed; `units` were sent and not answered.
  func connectionLost(
    _ connection: PostgresConnection,
    _ error: PostgresError,
    units: [UnitOfWork]
  )
}

/// Drives one libpq connection in pipeline mode.
///
/// Confined to its owner's loop.
///
/// It sends units of work at once, each with its own sync, and hands each finished unit to its owner.
final class PostgresConnection {
  let id: Int
  let loop: EventLoop
  private let raw: OpaquePointer
  private var watcher: FDWatcher?
  private var pipeline = Pipeline<UnitOfWork, PostgresRows>()
  private var statements: StatementCache
  private var state: State = .connecting
  /// The unit that runs by the simple protocol, outside of the pipeline.
  private var script: UnitOfWork?
  private var scriptError: PostgresError?

  /// Set by the owner, stopped as soon as the connection is open or closed.
  var connectTimer: LoopTimer?
  /// Used by the owner to keep track of cancel requests.
  var cancellation = CancelState()

  private enum State { case connecting, open, closed }

  /// Starts connecting; `begin(owner:)` must follow.
  init(
    id: Int,
    loop: EventLoop,
    parameters: ConnectParameters,
    preparedStatements: Int
  ) throws(PostgresError) {
    guard let raw = parameters.start() else {
      throw PostgresError(.unavailable, "PQconnectStartParams: out of memory")
    }
    self.id = id
    self.loop = loop
    self.raw = raw
    statements = StatementCache(capacity: preparedStatements)
    PQsetNoticeReceiver(raw, clibpq_ignore_notice, nil)
  }

  // The owner has called `close`, which removes the watcher before libpq closes its descriptor.
  deinit { PQfinish(raw) }

  var isOpen: Bool { state == .open }
  /// Whether it was usable once; otherwise its end is a failure to connect.
  private(set) var hasOpened = false
  var backendPID: Int32 { PQbackendPID(raw) }
  var oldestUnit: UnitOfWork? { script ?? pipeline.oldest }
  /// The units on their way, oldest first.
  var units: [UnitOfWork] { script.map { [$0] } ?? pipeline.unfinished }

  // MARK: Connecting

  /// Waits for the first step of libpq's connect.
  func begin<Owner: ConnectionOwner>(owner: isolated Owner) {
    guard PQstatus(raw) != CONNECTION_BAD else { return fail(.unavailable, owner: owner) }
    watch(.writable, owner: owner)
  }

  private func continueConnecting<Owner: ConnectionOwner>(owner: isolated Owner) {
    // The socket may be another one after each step, even under the same number.
    watcher?.close()
    watcher = nil
    switch PQconnectPoll(raw) {
    case PGRES_POLLING_READING: watch(.readable, owner: owner)
    case PGRES_POLLING_WRITING: watch(.writable, owner: owner)
    case PGRES_POLLING_OK:
      guard PQsetnonblocking(raw, 1) == 0, PQenterPipelineMode(raw) == 1 else {
        return fail(.library, owner: owner)
      }
      state = .open
      hasOpened = true
      connectTimer?.cancel()
      watch(.readable, owner: owner)
      if isOpen { owner.connectionOpened(self) }
    default: fail(.unavailable, owner: owner)
    }
  }

  private func watch<Owner: ConnectionOwner>(_ events: FDEvents, owner: isolated Owner) {
    let id = id
    do {
      watcher = try loop.watch(PQsocket(raw), for: events) { [weak owner] events in
        owner?.connectionIsReady(id, events)
      }
    } catch {
      lose(PostgresError(.unavailable, "watching the socket: \(error)"), owner: owner)
    }
  }

  // MARK: Sending

  /// Sends a unit with its sync.
  ///
  /// On failure the connection is lost, and with it the unit.
  func send<Owner: ConnectionOwner>(_ unit: UnitOfWork, owner: isolated Owner) {
    unit.attempts += 1
    let isSent: Bool
    switch unit.work {
    case .statement(let query):
      isSent = queue(query) && sync(unit)
    case .batch(let queries):
      isSent = queries.allSatisfy { queue($0) } && sync(unit)
    case .beginning(let begin, let queries):
      isSent = queue(begin) && queries.allSatisfy { queue($0) } && sync(unit)
    case .script(let text):
      isSent = startScript(text, unit)
    case .lease:
      preconditionFailure("a lease is not a statement")
    }
    guard isSent else {
      if !units.contains(where: { $0 === unit }) { pipeline.sentSync(unit) }
      return fail(.connectionLost, owner: owner)
    }
    flush(owner: owner)
  }

  private func queue(_ query: PostgresQuery) -> Bool {
    let key = StatementKey(query)
    switch statements.use(key) {
    case .prepared(let name):
      return execute(name, query.parameters)
    case .new(let name, let evicted):
      if let evicted { guard queue("DEALLOCATE " + Self.text(evicted)) else { return false } }
      guard PQsendPrepare(raw, name, query.sql, Int32(key.types.count), key.types) == 1 else {
        return false
      }
      pipeline.sentPrepare(key)
      return execute(name, query.parameters)
    }
  }

  /// A command without values whose result nobody reads.
  private func queue(_ command: String) -> Bool {
    guard PQsendQueryParams(raw, command, 0, nil, nil, nil, nil, 1) == 1 else { return false }
    pipeline.sentExecute(isKept: false)
    return true
  }

  private static func text(_ name: StatementCache.Name) -> String {
    String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func execute(_ name: StatementCache.Name, _ parameters: PostgresParameters) -> Bool {
    let isSent = parameters.withPointers { count, values, lengths, formats in
      PQsendQueryPrepared(raw, name, count, values, lengths, formats, 1) == 1
    }
    guard isSent else { return false }
    pipeline.sentExecute(isKept: true)
    return true
  }

  private func sync(_ unit: UnitOfWork) -> Bool {
    guard PQpipelineSync(raw) == 1 else { return false }
    pipeline.sentSync(unit)
    return true
  }

  private func startScript(_ text: String, _ unit: UnitOfWork) -> Bool {
    precondition(pipeline.isEmpty && script == nil, "a script needs the connection for itself")
    guard PQexitPipelineMode(raw) == 1, PQsendQuery(raw, text) == 1 else { return false }
    script = unit
    return true
  }

  private func flush<Owner: ConnectionOwner>(owner: isolated Owner) {
    switch PQflush(raw) {
    case 0: watcher?.update(.readable)
    // Both: the server may wait for us to read before it reads on.
    case 1: watcher?.update([.readable, .writable])
    default: receive(owner: owner)
    }
  }

  // MARK: Receiving

  /// Continues whatever waits for the socket.
  func ready<Owner: ConnectionOwner>(_ events: FDEvents, owner: isolated Owner) {
    switch state {
    case .connecting: return continueConnecting(owner: owner)
    case .closed: return
    case .open: break
    }
    if events.contains(.readable) { receive(owner: owner) }
    if isOpen, events.contains(.writable) { flush(owner: owner) }
  }

  private func receive<Owner: ConnectionOwner>(owner: isolated Owner) {
    let isAlive = PQconsumeInput(raw) == 1
    while isOpen, PQisBusy(raw) == 0 {
      if script != nil {
        receiveScriptResult(owner: owner)
      } else if pipeline.isEmpty || !receiveResult(owner: owner) {
        break
      }
    }
    guard isOpen else { return }
    guard isAlive, PQstatus(raw) == CONNECTION_OK else {
      return fail(.connectionLost, owner: owner)
    }
    while let notification = PQnotifies(raw) {
      defer { PQfreemem(notification) }
      owner.connectionReceived(
        channel: String(cString: notification.pointee.relname),
        payload: String(cString: notification.pointee.extra)
      )
    }
  }

  /// Takes one result; false when the connection turned out to be dead.
  private func receiveResult<Owner: ConnectionOwner>(owner: isolated Owner) -> Bool {
    guard let result = PQgetResult(raw) else {
      return act(pipeline.received(.end), owner: owner)
    }
    switch PQresultStatus(result) {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
      let rows = PostgresRows(takingOwnership: result)
      return act(pipeline.received(.rows(rows)), owner: owner)
    case PGRES_PIPELINE_SYNC:
      PQclear(result)
      return act(pipeline.received(.synced), owner: owner)
    case PGRES_PIPELINE_ABORTED:
      PQclear(result)
      return act(pipeline.received(.aborted), owner: owner)
    default:
      defer { PQclear(result) }
      guard PQstatus(raw) == CONNECTION_OK || hasSQLState(result) else { return false }
      return act(pipeline.received(.failed(PostgresError(result: result))), owner: owner)
    }
  }

  private func act<Owner: ConnectionOwner>(
    _ action: Pipeline<UnitOfWork, PostgresRows>.Action,
    owner: isolated Owner
  ) -> Bool {
    switch action {
    case .none: break
    case .forget(let key): statements.forget(key)
    case .finishOne(let unit, let rows):
      owner.connectionFinished(unit, .success(.single(rows)), on: self)
    case .finish(let unit, .success(let rows)):
      owner.connectionFinished(unit, .success(.rows(rows)), on: self)
    case .finish(let unit, .failure(let error)):
      forgetStale(unit, error)
      let located = unit.sql.map { error.with(sql: $0) } ?? error
      owner.connectionFinished(unit, .failure(located), on: self)
    case .violation:
      lose(PostgresError(.library, "a result that fits no command"), owner: owner)
    }
    return isOpen
  }

  /// Statements that the server has dropped, or whose plan has another result type now.
  private func forgetStale(_ unit: UnitOfWork, _ error: PostgresError) {
    guard error.isStaleStatement else { return }
    switch unit.work {
    case .statement(let query): statements.forget(StatementKey(query))
    case .batch(let queries), .beginning(_, let queries):
      for query in queries { statements.forget(StatementKey(query)) }
    case .script, .lease: break
    }
  }

  private func receiveScriptResult<Owner: ConnectionOwner>(owner: isolated Owner) {
    if let result = PQgetResult(raw) {
      defer { PQclear(result) }
      if [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(PQresultStatus(result)) {
        return lose(PostgresError(.library, "COPY is not supported"), owner: owner)
      }
      if PQresultStatus(result) == PGRES_FATAL_ERROR, scriptError == nil {
        scriptError = PostgresError(result: result)
      }
      return
    }
    guard let unit = script else { return }
    let error = scriptError
    (script, scriptError) = (nil, nil)
    guard PQenterPipelineMode(raw) == 1 else {
      pipeline.sentSync(unit)
      return fail(.connectionLost, owner: owner)
    }
    let result = error.map { Result<UnitOfWork.Output, PostgresError>.failure($0) }
    owner.connectionFinished(unit, result ?? .success(.rows([])), on: self)
  }

  private func hasSQLState(_ result: OpaquePointer) -> Bool {
    PQresultErrorField(result, Int32(UInt8(ascii: "C"))) != nil
  }

  // MARK: Ending

  private func fail<Owner: ConnectionOwner>(
    _ kind: PostgresError.Kind,
    owner: isolated Owner
  ) {
    let message = PQerrorMessage(raw).map { PostgresError.clean(String(cString: $0)) } ?? ""
    let text = message.isEmpty ? "the connection ended" : message
    lose(PostgresError(kind, text, server: pipeline.pendingError?.server), owner: owner)
  }

  /// Closes the connection and hands its units back to the owner, oldest first.
  func lose<Owner: ConnectionOwner>(_ error: PostgresError, owner: isolated Owner) {
    guard state != .closed else { return }
    let units = close()
    owner.connectionLost(self, error, units: units)
  }

  /// Closes the connection without telling anybody; returns the units that were on their way.
  func close() -> [UnitOfWork] {
    guard state != .closed else { return [] }
    state = .closed
    connectTimer?.cancel()
    watcher?.close()
    watcher = nil
    let units = units
    script = nil
    pipeline = Pipeline()
    return units
  }
}
