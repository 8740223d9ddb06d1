package import EventLoop
package import Logging
internal import Synchronization

/// A database: a pool of connections for each loop, transactions, notifications and migrations.
///
/// A call uses the pool of the loop that it runs on (the next one in turn from other threads), so
/// nothing is shared between loops. Statements of many callers travel on one connection at once; each
/// has its own sync and so its own fate. Session settings (`SET`) and other state of a session would
/// leak to others: set them by the URL, or by `SET LOCAL` inside a transaction.
///
/// `shutdown()` must be awaited before the loops are stopped.
package final class PostgresClient: Sendable {
  private let pools: [PostgresPool]
  private let listener: PostgresListener
  private let turn = Atomic<Int>(0)
  let limits: PostgresLimits

  /// Starts connecting; calls that come before wait for it.
  ///
  /// - Throws: ``PostgresError/Kind/configuration`` when the URL cannot be parsed.
  package init(
    _ configuration: PostgresConfiguration,
    group: EventLoopGroup,
    logger: Logger
  ) throws(PostgresError) {
    let parameters = try ConnectParameters(configuration)
    let limits = configuration.limits
    self.limits = limits
    pools = group.loops.map { loop in
      PostgresPool(loop: loop, parameters: parameters, limits: limits, logger: logger)
    }
    listener = PostgresListener(
      loop: group.loops[0],
      parameters: parameters,
      limits: limits,
      logger: logger
    )
    for pool in pools { pool.start() }
  }

  // A client that nobody shut down must not leave watchers behind for closed descriptors.
  deinit {
    for pool in pools { pool.loop.submit { pool.assumeIsolated { $0.shutDown() } } }
    let listener = listener
    listener.loop.submit { listener.assumeIsolated { $0.shutDown() } }
  }

  /// The pool of the caller's loop.
  var pool: PostgresPool {
    if let current = EventLoop.current {
      for pool in pools where pool.loop === current { return pool }
    }
    let index = turn.wrappingAdd(1, ordering: .relaxed).oldValue
    return pools[Int(UInt(bitPattern: index) % UInt(pools.count))]
  }

  /// Runs one statement and waits until its effect is certain.
  ///
  /// - Parameters:
  ///   - query: The statement; interpolated values are bound.
  ///   - timeout: From now until the result, waiting for a connection included;
  ///     ``PostgresLimits/statementTimeout`` unless given.
  ///   - idempotent: Whether it may be sent again when the connection ends under it, which is right
  ///     for reads and for writes that check for themselves.
  /// - Returns: Its rows; none for statements without a result.
  /// - Throws: ``PostgresError``. After `.timeout`, `.cancelled` and `.connectionLost` the statement
  ///   may have taken effect.
  nonisolated(nonsending) package func query(
    _ query: PostgresQuery,
    timeout: Duration? = nil,
    idempotent: Bool = false
  ) async throws(PostgresError) -> PostgresRows {
    try query.check()
    let output = try await pool.run(
      .statement(query),
      timeout: timeout,
      isIdempotent: idempotent
    )
    return try output.only()
  }

  /// Runs statements in one round trip as one transaction: all of them take effect, or none.
  ///
  /// No statement can use the result of another; `transaction` is for that.
  /// - Returns: The rows of each statement.
  nonisolated(nonsending) package func batch(
    _ queries: [PostgresQuery],
    timeout: Duration? = nil,
    idempotent: Bool = false
  ) async throws(PostgresError) -> [PostgresRows] {
    guard !queries.isEmpty else { return [] }
    for query in queries { try query.check() }
    return try await pool.run(
      .batch(queries),
      timeout: timeout,
      isIdempotent: idempotent
    ).list
  }

  /// Notifications of one channel, over a connection of their own that is restored when it ends.
  ///
  /// The first element, and one after each gap, is ``PostgresNotification/reconnected``: everything
  /// sent before it may be missing, so look at the tables then. Ends when the client is shut down.
  ///
  /// - Parameter channel: At most 63 bytes; the server would cut more.
  /// - Returns: A stream that keeps ``PostgresLimits/bufferedNotifications`` elements.
  package func listen(_ channel: String) -> AsyncStream<PostgresNotification> {
    precondition((1...63).contains(channel.utf8.count), "a channel has 1 to 63 bytes")
    return listener.listen(channel)
  }

  /// Sends a notification to everybody who listens; the payload is at most 7,999 bytes.
  nonisolated(nonsending) package func notify(
    _ channel: String,
    payload: String = ""
  ) async throws(PostgresError) {
    _ = try await query("SELECT pg_notify(\(channel), \(payload))")
  }

  /// Closes all connections; callers that still wait get ``PostgresError/Kind/closed``.
  nonisolated(nonsending) package func shutdown() async {
    for pool in pools { await pool.shutDown() }
    await listener.shutDown()
  }
}

extension UnitOfWork.Output {
  /// The rows of a unit of one statement.
  func only() throws(PostgresError) -> PostgresRows {
    switch self {
    case .single(let rows): return rows
    case .rows(let list) where list.count == 1: return list[0]
    case .rows, .lease: throw PostgresError(.library, "one statement without one result")
    }
  }
}

extension PostgresQuery {
  /// The most values that one statement can have (a 16-bit count on the wire).
  static let maximumParameters = 65_535

  /// Refuses what libpq would cut silently.
  func check() throws(PostgresError) {
    if parameters.containsNUL {
      throw PostgresError(.invalidValue, "text with a NUL cannot be stored", sql: sql)
    }
    if parameters.entries.count > Self.maximumParameters {
      throw PostgresError(.invalidValue, "more than \(Self.maximumParameters) values", sql: sql)
    }
  }
}
