package import EventLoop
internal import HTTP2
package import Net
internal import Synchronization

/// Runs `body`, the handler of one call, and returns what it returned.
package typealias HandlerScope =
  @Sendable (_ context: ServerContext, _ body: () async throws -> [UInt8]?) async throws -> [UInt8]?

/// Answers RPCs on one listener.
package final class RPCServer: Sendable {
  /// What a server needs to know.
  package struct Configuration: Sendable {
    package var endpoint: Endpoint
    /// Nil: clear text, for tests and benchmarks; then no caller is checked.
    package var tls: TLSContext?
    package var limits = RPCLimits()
    package var interceptors: [any ServerInterceptor] = []
    /// Runs every handler, so that a service can bind task-local values to it.
    package var scope: HandlerScope?
    /// How many connections are admitted.
    package var listener = ListenerLimits()
    /// Told of connections that were ended because of their peer, for logs and metrics.
    package var onConnectionEnd: @Sendable (ConnectionEnd) -> Void = { _ in }
    /// Told of calls that were ended because of their peer: `slow_read`, `slow_body`.
    package var onStreamEnd: @Sendable (_ kind: String) -> Void = { _ in }

    package init(endpoint: Endpoint, tls: TLSContext?) {
      self.endpoint = endpoint
      self.tls = tls
    }
  }

  /// Where the server listens.
  package let address: SocketAddress
  private let listener: Listener
  let core: ServerCore

  /// Starts to listen and to answer.
  package static func start(
    _ configuration: Configuration,
    registry: MethodRegistry,
    group: EventLoopGroup
  ) async throws(NetError) -> RPCServer {
    let core = ServerCore(configuration, registry)
    var transport = TransportLimits()
    transport.writeStallTimeout = configuration.limits.http2.times.writeStall
    let listener = try await Listener.start(
      on: configuration.endpoint,
      group: group,
      distribution: .leastConnections,
      tls: configuration.tls,
      limits: configuration.listener,
      transportLimits: transport
    ) { loop, _ in ServerConnection(loop: loop, server: core) }
    return RPCServer(listener: listener, core: core)
  }

  private init(listener: Listener, core: ServerCore) {
    self.listener = listener
    self.core = core
    address = listener.address
  }

  /// Serves until the task is cancelled, for programs that end by a signal.
  package func serve() async throws {
    let (never, continuation) = AsyncStream.makeStream(of: Void.self)
    try await withTaskCancellationHandler {
      for await _ in never {}
      try Task.checkCancellation()
    } onCancel: {
      continuation.finish()
    }
  }

  /// Accepts nothing new, lets running calls finish for at most `timeout`, then cancels them.
  package func drain(timeout: Duration) async {
    await listener.stop()
    for connection in core.connections.startLeaving() {
      connection.loop.submit { connection.drain() }
    }
    let deadline = MonotonicInstant.now + timeout
    await core.connections.waitUntilEmpty(deadline: deadline)
    for connection in core.connections.all { connection.loop.submit { connection.close() } }
  }
}

/// What all connections of a server share.
final class ServerCore: Sendable {
  let registry: MethodRegistry
  let limits: RPCLimits
  let interceptors: [any ServerInterceptor]
  let scope: HandlerScope?
  /// Whether a method's list of callers is enforced.
  let requiresCaller: Bool
  let connectionEnded: @Sendable (ConnectionEnd) -> Void
  let streamEnded: @Sendable (_ kind: String) -> Void
  let tickers: ConnectionTickers
  let connections = ConnectionSet()

  init(_ configuration: RPCServer.Configuration, _ registry: MethodRegistry) {
    self.registry = registry
    limits = configuration.limits
    interceptors = configuration.interceptors
    scope = configuration.scope
    requiresCaller = configuration.tls != nil
    connectionEnded = configuration.onConnectionEnd
    streamEnded = configuration.onStreamEnd
    tickers = ConnectionTickers(pause: configuration.limits.timePrecision)
  }

  /// The time a call gets: the caller's, else the method's, else ours; bounded for unary calls.
  func timeout(of method: MethodDescriptor, asked: Duration?) -> Duration {
    let wanted = asked ?? limits.timeout(of: method)
    return method.kind == .unary ? min(wanted, limits.maxUnaryTimeout) : wanted
  }
}

/// The open connections of a server.
final class ConnectionSet: Sendable {
  private struct State {
    var connections: [ObjectIdentifier: ServerConnection] = [:]
    var isLeaving = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  var all: [ServerConnection] { state.withLock { Array($0.connections.values) } }

  /// Takes a connection in.
  ///
  /// - Returns: Whether the server is leaving: the connection was still in its handshake when the
  ///   others were told.
  func add(_ connection: ServerConnection) -> Bool {
    state.withLock { state in
      state.connections[ObjectIdentifier(connection)] = connection
      return state.isLeaving
    }
  }

  /// Those that are to be told that the server leaves; further ones learn it when they open.
  func startLeaving() -> [ServerConnection] {
    state.withLock { state in
      state.isLeaving = true
      return Array(state.connections.values)
    }
  }

  func remove(_ connection: ServerConnection) {
    let waiters = state.withLock { state in
      state.connections[ObjectIdentifier(connection)] = nil
      guard state.connections.isEmpty else { return [CheckedContinuation<Void, Never>]() }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Returns when no connection is left, or at the deadline.
  func waitUntilEmpty(deadline: MonotonicInstant) async {
    let timer = Task {
      try await Task.sleep(for: MonotonicInstant.now.duration(to: deadline))
      releaseWaiters()
    }
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      let isEmpty = state.withLock { state in
        if !state.connections.isEmpty { state.waiters.append(done) }
        return state.connections.isEmpty
      }
      if isEmpty { done.resume() }
    }
    timer.cancel()
  }

  private func releaseWaiters() {
    let waiters = state.withLock { state in
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
