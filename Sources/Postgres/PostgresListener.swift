internal import EventLoop
internal import Logging

/// What a listener on a channel receives.
package enum PostgresNotification: Sendable, Hashable {
  /// A notification with its payload.
  case message(payload: String)
  /// Listening begins here, for the first time or again: earlier notifications may be missing.
  case reconnected

  /// The payload; nil for ``reconnected``.
  package var payload: String? {
    if case .message(let payload) = self { payload } else { nil }
  }
}

/// One connection that listens on behalf of a whole client. An actor pinned to its loop.
///
/// It is opened with the first listener and restored for ever while there is one; a statement every
/// `checkInterval` notices a peer that is gone without a word.
actor PostgresListener {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private static let checkInterval: Duration = .seconds(15)
  private static let checkTimeout: Duration = .seconds(5)

  private typealias Continuation = AsyncStream<PostgresNotification>.Continuation

  private let parameters: ConnectParameters
  private let limits: PostgresLimits
  private let logger: Logger
  private var backoff: Backoff
  private var connection: PostgresConnection?
  private var isConnecting = false
  private var listeners: [String: [Int: Continuation]] = [:]
  private var lastID = 0
  private var connectionNumber = 0
  private var isShutDown = false
  /// The channel of each LISTEN that is on its way, by unit.
  private var pendingChannels: [UnitID: String] = [:]

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
    backoff = Backoff(first: .milliseconds(50), longest: limits.longestBackoff)
  }

  nonisolated func listen(_ channel: String) -> AsyncStream<PostgresNotification> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: PostgresNotification.self,
      bufferingPolicy: .bufferingNewest(limits.bufferedNotifications)
    )
    loop.submit { self.assumeIsolated { $0.add(continuation, channel) } }
    return stream
  }

  private func add(_ continuation: Continuation, _ channel: String) {
    guard !isShutDown else { return continuation.finish() }
    lastID += 1
    let id = lastID
    listeners[channel, default: [:]][id] = continuation
    continuation.onTermination = { [weak self] _ in
      guard let self else { return }
      self.loop.submit { self.assumeIsolated { $0.remove(id, channel) } }
    }
    if let connection, connection.isOpen {
      send("LISTEN ", channel, on: connection)
    } else {
      connect()
    }
  }

  private func remove(_ id: Int, _ channel: String) {
    listeners[channel]?[id] = nil
    guard listeners[channel]?.isEmpty == true else { return }
    listeners[channel] = nil
    if listeners.isEmpty {
      // Nobody is left: the connection is not worth its place at the server.
      _ = connection?.close()
      connection = nil
      pendingChannels = [:]
    } else if let connection, connection.isOpen {
      send("UNLISTEN ", channel, on: connection)
    }
  }

  func shutDown() {
    isShutDown = true
    _ = connection?.close()
    connection = nil
    let open = listeners.values.flatMap(\.values)
    listeners = [:]
    for continuation in open { continuation.finish() }
  }

  // MARK: Connection

  private func connect() {
    guard connection == nil, !isConnecting, !isShutDown, !listeners.isEmpty else { return }
    isConnecting = true
    let unresolved = parameters
    Task(executorPreference: loop) {
      do {
        await self.start(try await unresolved.resolved(on: self.loop))
      } catch {
        await self.retry(PostgresError(.unavailable, "\(error)"))
      }
    }
  }

  private func start(_ parameters: ConnectParameters) {
    isConnecting = false
    guard !isShutDown, !listeners.isEmpty else { return }
    connectionNumber += 1
    do {
      let connection = try PostgresConnection(
        id: connectionNumber,
        loop: loop,
        parameters: parameters,
        preparedStatements: 16
      )
      self.connection = connection
      expect("connection", within: limits.connectTimeout, of: connection) { $0.hasOpened }
      connection.begin(owner: self)
    } catch {
      retry(error)
    }
  }

  private func retry(_ error: PostgresError) {
    isConnecting = false
    let pause = backoff.next(jitter: Double.random(in: 0...1))
    let fields: Logger.Metadata = ["error": "\(error)", "retry_in": "\(pause)"]
    logger.warning("postgres listener disconnected", metadata: fields)
    _ = loop.schedule(after: pause) { [weak self] in
      self?.assumeIsolated { $0.connect() }
    }
  }

  private func send(_ verb: String, _ channel: String, on connection: PostgresConnection) {
    let name =
      "\""
      + channel.split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\"\"") + "\""
    let unit = makeUnit(PostgresQuery(unescaped: verb + name))
    if verb == "LISTEN " { pendingChannels[unit.id] = channel }
    expectAnswer(on: connection)
    connection.send(unit, owner: self)
  }

  private func makeUnit(_ query: PostgresQuery) -> UnitOfWork {
    lastID += 1
    return UnitOfWork(
      id: UnitID(lastID),
      work: .statement(query),
      lease: nil,
      isIdempotent: true,
      now: loop.now,
      acquireTimeout: Self.checkTimeout,
      timeout: Self.checkTimeout
    )
  }

  // MARK: Dead peers

  private func expectAnswer(on connection: PostgresConnection) {
    expect("answer", within: Self.checkTimeout, of: connection) { $0.oldestUnit == nil }
  }

  /// Drops the connection when `condition` does not hold after a while.
  private func expect(
    _ what: String,
    within timeout: Duration,
    of connection: PostgresConnection,
    _ condition: @escaping @Sendable (PostgresConnection) -> Bool
  ) {
    let id = connection.id
    _ = loop.schedule(after: timeout) { [weak self] in
      self?.assumeIsolated { listener in
        guard let connection = listener.connection, connection.id == id else { return }
        guard !condition(connection) else { return }
        let error = PostgresError(.connectionLost, "no \(what) within \(timeout)")
        connection.lose(error, owner: listener)
      }
    }
  }

  private func scheduleCheck(of id: Int) {
    _ = loop.schedule(after: Self.checkInterval) { [weak self] in
      self?.assumeIsolated { listener in
        guard let connection = listener.connection, connection.id == id, connection.isOpen
        else { return }
        listener.expectAnswer(on: connection)
        connection.send(listener.makeUnit("SELECT 1"), owner: listener)
        listener.scheduleCheck(of: id)
      }
    }
  }
}

extension PostgresListener: ConnectionOwner {
  nonisolated func connectionIsReady(_ id: Int, _ events: FDEvents) {
    assumeIsolated { listener in
      guard let connection = listener.connection, connection.id == id else { return }
      connection.ready(events, owner: listener)
    }
  }

  func connectionOpened(_ connection: PostgresConnection) {
    backoff.reset()
    for channel in listeners.keys { send("LISTEN ", channel, on: connection) }
    scheduleCheck(of: connection.id)
  }

  func connectionFinished(
    _ unit: UnitOfWork,
    _ result: Result<UnitOfWork.Output, PostgresError>,
    on connection: PostgresConnection
  ) {
    guard let channel = pendingChannels.removeValue(forKey: unit.id) else { return }
    switch result {
    case .success: yield(.reconnected, to: channel)
    case .failure(let error): connection.lose(error, owner: self)
    }
  }

  func connectionReceived(channel: String, payload: String) {
    yield(.message(payload: payload), to: channel)
  }

  private func yield(_ notification: PostgresNotification, to channel: String) {
    guard let targets = listeners[channel] else { return }
    for target in targets.values {
      // A listener too slow for its buffer has missed something: tell it to look.
      if case .dropped = target.yield(notification) { target.yield(.reconnected) }
    }
  }

  func connectionLost(
    _ connection: PostgresConnection,
    _ error: PostgresError,
    units: [UnitOfWork]
  ) {
    self.connection = nil
    pendingChannels = [:]
    guard !isShutDown, !listeners.isEmpty else { return }
    retry(error)
  }
}
