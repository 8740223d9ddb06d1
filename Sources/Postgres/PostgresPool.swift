internal import EventLoop
internal import Logging

/// The connections of one loop: an actor pinned to it, which drives ``PoolStateMachine``.
///
/// Everything of a connection happens on this loop, between two polls, so that a call costs no hop
/// from a handler of the same loop.
actor PostgresPool {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  let limits: PostgresLimits
  let logger: Logger
  private let parameters: ConnectParameters
  var machine: PoolStateMachine
  var connections: [Int: PostgresConnection] = [:]
  /// Units that wait for a connection.
  var waiting: [UnitID: UnitOfWork] = [:]
  var leases: [UnitID: Lease] = [:]
  var lastConnectError: PostgresError?
  private var backoff: Backoff
  private var lastID: UnitID = 0
  private(set) var isShutDown = false

  // Of PostgresPool+Deadlines.
  var sweepTimer: LoopTimer?
  var sweepAt: ContinuousClock.Instant?
  // Of PostgresPool+Cancel.
  var control: PostgresConnection?
  /// Connections whose cancel request waits for the control connection.
  var cancelsToSend: [Int] = []
  var cancelsUnderWay = 0

  /// A connection that belongs to one transaction.
  struct Lease {
    let connection: Int
    /// Sent in front of the first statement.
    var begin: String?
    /// Set when the connection died under the transaction.
    var loss: PostgresError?
    var isEnding = false
  }

  /// The number of the connection that carries cancel requests; pooled ones count from 1.
  static let controlID = 0

  init(
    loop: EventLoop,
    parameters: ConnectParameters,
    limits: PostgresLimits,
    logger: Logger
  ) {
    self.loop = loop
    self.parameters = parameters
    self.limits = limits
    self.logger = logger
    machine = PoolStateMachine(limits: limits)
    backoff = Backoff(first: .milliseconds(50), longest: limits.longestBackoff)
  }

  func nextID() -> UnitID {
    lastID += 1
    return lastID
  }

  // MARK: Running

  /// Opens the first connection ahead of the first caller.
  nonisolated func start() {
    loop.submit { self.assumeIsolated { $0.perform($0.machine.start()) } }
  }

  /// Runs one unit of work and waits for it; cancelling the task cancels the unit.
  func run(
    _ work: UnitOfWork.Work,
    lease: UnitID? = nil,
    timeout: Duration? = nil,
    isIdempotent: Bool = false,
    isCancellable: Bool = true
  ) async throws(PostgresError) -> UnitOfWork.Output {
    let id = nextID()
    if isCancellable, Task.isCancelled { throw Self.cancelledError }
    let result = await withTaskCancellationHandler {
      await withUnsafeContinuation { (completion: UnitOfWork.Completion) in
        // A task off the loop was suspended before this closure, and a cancellation in between found
        // no unit yet.
        if isCancellable, Task.isCancelled {
          return completion.resume(returning: .failure(Self.cancelledError))
        }
        submit(
          UnitOfWork(
            id: id,
            work: work,
            lease: lease,
            isIdempotent: isIdempotent,
            now: loop.now,
            acquireTimeout: limits.acquireTimeout,
            timeout: timeout ?? limits.statementTimeout,
            completion: completion
          )
        )
      }
    } onCancel: {
      guard isCancellable else { return }
      loop.submit { self.assumeIsolated { $0.cancel(id) } }
    }
    return try result.get()
  }

  private func submit(_ unit: UnitOfWork) {
    guard !isShutDown else { return unit.finish(.failure(Self.closedError)) }
    if unit.lease != nil { return submitLeased(unit) }
    if case .lease = unit.work {
      waiting[unit.id] = unit
      scheduleSweep(at: unit.acquireDeadline)
      return perform(machine.requestLease(unit.id))
    }
    if let id = machine.placeShared(now: loop.now), let connection = connections[id] {
      return send(unit, on: connection)
    }
    enqueue(unit)
  }

  private func enqueue(_ unit: UnitOfWork) {
    waiting[unit.id] = unit
    scheduleSweep(at: unit.acquireDeadline)
    perform(machine.waitShared(unit.id))
  }

  func send(_ unit: UnitOfWork, on connection: PostgresConnection) {
    unit.mayBeCollateral = connection.cancellation.isWindowOpen(at: loop.now)
    scheduleSweep(at: unit.deadline)
    connection.send(unit, owner: self)
  }

  func perform(_ actions: [PoolStateMachine.Action]) {
    for action in actions {
      switch action {
      case .run(let id, let connectionID):
        guard let unit = waiting.removeValue(forKey: id) else { continue }
        guard let connection = connections[connectionID] else {
          enqueue(unit)
          continue
        }
        send(unit, on: connection)
      case .lease(let id, let connectionID):
        leases[id] = Lease(connection: connectionID)
        waiting.removeValue(forKey: id)?.finish(.success(.lease(id)))
      case .open(let id):
        open(id)
      case .refuse(let id):
        let count = limits.waitersPerLoop
        waiting.removeValue(forKey: id)?.finish(
          .failure(PostgresError(.poolExhausted, "\(count) callers wait for a connection"))
        )
      }
    }
  }

  // MARK: Opening

  private func open(_ id: Int) {
    guard parameters.hosts.contains(where: \.needsResolving) else {
      return startConnection(id, parameters)
    }
    let unresolved = parameters
    Task(executorPreference: loop) {
      do {
        await self.startConnection(id, try await unresolved.resolved(on: self.loop))
      } catch {
        await self.connectFailed(id, PostgresError(.unavailable, "\(error)"))
      }
    }
  }

  private func startConnection(_ id: Int, _ parameters: ConnectParameters) {
    guard !isShutDown else { return }
    lastResolved = parameters
    do {
      let connection = try makeConnection(id, parameters)
      connections[id] = connection
      connection.begin(owner: self)
    } catch {
      connectFailed(id, error)
    }
  }

  /// Starts a connection and bounds the time that it may take to open.
  private func makeConnection(
    _ id: Int,
    _ parameters: ConnectParameters
  ) throws(PostgresError) -> PostgresConnection {
    let connection = try PostgresConnection(
      id: id,
      loop: loop,
      parameters: parameters,
      preparedStatements: limits.preparedStatements
    )
    connection.connectTimer = loop.schedule(after: limits.connectTimeout) { [weak self] in
      self?.assumeIsolated { $0.connectTimedOut(id) }
    }
    return connection
  }

  private func connectTimedOut(_ id: Int) {
    let connection = id == Self.controlID ? control : connections[id]
    guard let connection, !connection.hasOpened else { return }
    let text = "no connection within \(limits.connectTimeout)"
    connection.lose(PostgresError(.unavailable, text), owner: self)
  }

  private func connectFailed(_ id: Int, _ error: PostgresError) {
    guard !isShutDown else { return }
    machine.failed(id)
    lastConnectError = error
    let pause = backoff.next(jitter: Double.random(in: 0...1))
    let fields: Logger.Metadata = ["error": "\(error)", "retry_in": "\(pause)"]
    logger.warning("postgres connection failed", metadata: fields)
    _ = loop.schedule(after: pause) { [weak self] in
      self?.assumeIsolated { $0.perform($0.machine.backoffElapsed()) }
    }
  }

  /// Opens the connection that carries cancel requests.
  func openControl() {
    guard control == nil, !isShutDown else { return }
    guard let connection = try? makeConnection(Self.controlID, resolvedForControl) else { return }
    control = connection
    connection.begin(owner: self)
  }

  /// The addresses that the pool found last; a cancel request must not wait for a look-up.
  private var resolvedForControl: ConnectParameters { lastResolved ?? parameters }
  private var lastResolved: ConnectParameters?

  // MARK: Ending

  /// Closes every connection; callers that wait get ``PostgresError/Kind/closed``.
  func shutDown() {
    guard !isShutDown else { return }
    isShutDown = true
    sweepTimer?.cancel()
    _ = machine.shutDown()
    let units = connections.values.flatMap { $0.close() } + (control?.close() ?? [])
    for unit in units + waiting.values { unit.finish(.failure(Self.closedError)) }
    connections = [:]
    control = nil
    waiting = [:]
    leases = [:]
  }

  private static let cancelledError = PostgresError(.cancelled, "the task is cancelled")
  static let closedError = PostgresError(.closed, "the client is shut down")
}

extension PostgresPool: ConnectionOwner {
  nonisolated func connectionIsReady(_ id: Int, _ events: FDEvents) {
    assumeIsolated { pool in
      let connection = id == Self.controlID ? pool.control : pool.connections[id]
      connection?.ready(events, owner: pool)
    }
  }

  func connectionOpened(_ connection: PostgresConnection) {
    guard connection.id != Self.controlID else { return sendCancels() }
    backoff.reset()
    lastConnectError = nil
    perform(machine.opened(connection.id, now: loop.now))
  }

  func connectionFinished(
    _ unit: UnitOfWork,
    _ result: Result<UnitOfWork.Output, PostgresError>,
    on connection: PostgresConnection
  ) {
    if case .failure(let error) = result, shouldRepeat(unit, after: error) {
      return send(unit, on: connection)
    }
    unit.finish(result)
    guard connection.id != Self.controlID else { return cancelAnswered(unit) }
    let actions = machine.unitFinished(on: connection.id, now: loop.now)
    if case .rollback(let lease) = unit.purpose {
      rolledBack(lease, on: connection, result)
    }
    perform(actions)
    noticeAbandonedHead(of: connection)
  }

  /// Whether a failed unit may go again at once: it had no effect, and it was not its own fault.
  private func shouldRepeat(_ unit: UnitOfWork, after error: PostgresError) -> Bool {
    guard unit.lease == nil, !unit.isAbandoned, unit.purpose == .caller, unit.attempts < 4 else {
      return false
    }
    return error.isStaleStatement || (error.sqlState == "57014" && unit.mayBeCollateral)
  }

  func connectionReceived(channel: String, payload: String) {}

  func connectionLost(
    _ connection: PostgresConnection,
    _ error: PostgresError,
    units: [UnitOfWork]
  ) {
    guard connection.id != Self.controlID else { return controlLost(error) }
    connections[connection.id] = nil
    for (id, lease) in leases where lease.connection == connection.id { leases[id]?.loss = error }
    guard connection.hasOpened else { return connectFailed(connection.id, error) }
    logger.notice("postgres connection lost", metadata: ["error": "\(error)"])
    let actions = machine.closed(connection.id)
    for unit in units { connectionLost(under: unit, error) }
    perform(actions)
  }

  /// Sends idempotent units elsewhere; of the others nobody knows whether they took effect.
  private func connectionLost(under unit: UnitOfWork, _ error: PostgresError) {
    let now = loop.now
    if unit.isIdempotent, unit.lease == nil, !unit.isAbandoned, unit.attempts < 4,
      now < unit.deadline
    {
      unit.acquireDeadline = min(now + limits.acquireTimeout, unit.deadline)
      return enqueue(unit)
    }
    unit.finish(.failure(unit.sql.map { error.with(sql: $0) } ?? error))
    if case .rollback(let lease) = unit.purpose { leases[lease] = nil }
  }
}
