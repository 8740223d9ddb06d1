internal import EventLoop
internal import Net

/// Keeps one connection to one endpoint of a channel.
///
///     idle → connecting → ready → connecting (lost, or told to go away)
///               └→ backing off → connecting
///
/// It connects on first use, and again at once when a connection that stood is lost.
actor Subchannel {
  private enum State {
    case idle
    case connecting
    case ready(ClientConnection)
    case backingOff(String)
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let endpoint: Endpoint
  private let settings: ChannelSettings
  private let patience: Duration
  private var backoff: Backoff
  private var state = State.idle
  private var waiters: [CheckedContinuation<Void, Never>] = []
  private var isClosed = false

  init(
    _ endpoint: Endpoint,
    loop: EventLoop,
    settings: ChannelSettings,
    backoff: Backoff,
    patience: Duration
  ) {
    self.endpoint = endpoint
    self.loop = loop
    self.settings = settings
    self.backoff = backoff
    self.patience = patience
  }

  /// The connection, if it stands.
  var ready: ClientConnection? {
    if case .ready(let connection) = state { return connection }
    return nil
  }

  /// Begins to connect if nothing has happened yet.
  func warmUp() {
    if case .idle = state { startConnecting() }
  }

  /// Waits for the connection.
  ///
  /// - Throws: ``ServiceError`` `.unavailable` with the last failure when the peer stays away for
  ///   longer than `patience`, unless `waitForReady`; `.deadlineExceeded` at the deadline.
  func connection(
    deadline: ContinuousClock.Instant,
    waitForReady: Bool
  ) async throws(ServiceError) -> ClientConnection {
    let giveUp = waitForReady ? deadline : min(deadline, .now + patience)
    while true {
      switch state {
      case .ready(let connection): return connection
      case .idle: startConnecting()
      case .backingOff(let reason) where giveUp < deadline && ContinuousClock.now >= giveUp:
        throw .runtime(.unavailable, "\(endpoint) cannot be reached: \(reason)")
      case .connecting, .backingOff: break
      }
      guard !isClosed else { throw .runtime(.unavailable, "the channel is closed") }
      let now = ContinuousClock.now
      guard now < deadline else {
        throw .runtime(.deadlineExceeded, "no connection to \(endpoint) in time")
      }
      let next = now < giveUp ? giveUp : deadline
      let timer = loop.schedule(after: now.duration(to: next)) { [self] in
        assumeIsolated { $0.wakeWaiters() }
      }
      await withCheckedContinuation { done in
        // Checked again: a task that does not prefer this loop is suspended before the closure runs.
        if mayChange { waiters.append(done) } else { done.resume() }
      }
      timer.cancel()
    }
  }

  /// Whether somebody will wake those who wait.
  private var mayChange: Bool {
    switch state {
    case .connecting, .backingOff: !isClosed
    case .idle, .ready: false
    }
  }

  /// Closes the connection for good.
  func close() async {
    isClosed = true
    wakeWaiters()
    if let connection = ready { await connection.close() }
  }

  private func startConnecting() {
    guard !isClosed else { return }
    state = .connecting
    Task(executorPreference: loop) { [self] in await connect() }
  }

  /// Tries the addresses in turn, those of a name looked up afresh.
  private func connect() async {
    var failure = "no address"
    do {
      for address in try await endpoint.resolve(on: loop) {
        let connection = ClientConnection(loop: loop, settings: settings) { [weak self] gone in
          // Called on the loop when the connection is gone, or goes away.
          self?.assumeIsolated { $0.lost(gone) }
        }
        switch await connection.open(address) {
        case .success: return becomeReady(connection)
        case .failure(let error): failure = "\(error)"
        }
      }
    } catch {
      failure = "\(error)"
    }
    rest(after: failure)
  }

  private func becomeReady(_ connection: ClientConnection) {
    // It may have been lost again before this task went on; nobody would tell us any more.
    guard !isClosed, connection.assumeIsolated({ $0.isUsable }) else {
      connection.assumeIsolated { $0.close() }
      return rest(after: "the connection was lost at once")
    }
    state = .ready(connection)
    wakeWaiters()
  }

  /// Connects again: at once, unless the peer never spoke, as when it refuses our certificate.
  private func lost(_ connection: ClientConnection) {
    guard case .ready(let current) = state, current === connection else { return }
    guard connection.assumeIsolated({ $0.wasEstablished }) else {
      return rest(after: "the peer closed the connection at once")
    }
    backoff.reset()
    startConnecting()
  }

  private func rest(after failure: String) {
    state = .backingOff(failure)
    wakeWaiters()
    _ = loop.schedule(after: backoff.next()) { [self] in
      assumeIsolated { $0.startConnecting() }
    }
  }

  private func wakeWaiters() {
    let woken = waiters
    waiters = []
    for waiter in woken { waiter.resume() }
  }
}
