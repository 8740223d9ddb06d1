internal import EventLoop

/// Keeps at most one connection to one address, and tells the policy's driver how it stands.
///
///     idle → connecting → ready → idle (lost, or told to go away)
///               └→ transient failure (backing off) → idle
///     with health checks: connecting | ready | transient failure, as the connected peer says
///
/// `ready` means that the peer's SETTINGS have come: with TLS 1.3 a client whose certificate is refused
/// learns of it only after the handshake; with health checks also that the peer calls itself
/// serving. Attempts start at least one backoff apart, also when each of them succeeds for a moment.
actor Subchannel {
  /// What the driver is told; always on the loop.
  enum Event: Sendable {
    case changed(ConnectivityState, ClientConnection?)
    /// Shut down, and the last connection has closed.
    case drained
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  nonisolated let id: SubchannelID

  private let address: SocketAddress
  private let settings: ChannelSettings
  private let onEvent: @Sendable (Subchannel, Event) -> Void
  private var backoff: ExponentialBackoff
  /// Slower once a peer has complained.
  private(set) var keepalive: KeepaliveSettings?
  private var state = ConnectivityState.idle
  /// The connection that is being made or stands.
  private var current: ClientConnection?
  /// Connections that finish their calls.
  private var leaving: [ObjectIdentifier: ClientConnection] = [:]
  /// The start of the next attempt is not before this.
  private var earliestAttempt = MonotonicInstant.now
  private var timer: LoopTimer?
  /// Asks the current connection's peer how it is.
  private var healthTask: Task<Void, Never>?
  private var isShutDown = false

  init(
    _ id: SubchannelID,
    _ address: SocketAddress,
    loop: EventLoop,
    settings: ChannelSettings,
    onEvent: @escaping @Sendable (Subchannel, Event) -> Void
  ) {
    self.id = id
    self.address = address
    self.loop = loop
    self.settings = settings
    self.onEvent = onEvent
    backoff = settings.backoff
    keepalive = settings.keepalive
  }

  /// Connects, if it is idle.
  func connect() {
    guard state == .idle, !isShutDown else { return }
    change(to: .connecting)
    let pause = MonotonicInstant.now.duration(to: earliestAttempt)
    guard pause > .zero else { return startAttempt() }
    startTimer(pause) { $0.startAttempt() }
  }

  /// Takes no new calls; connections close when their calls have ended.
  func shutDown() {
    guard !isShutDown else { return }
    isShutDown = true
    timer?.cancel()
    if let current {
      letGo(of: current)
      current.assumeIsolated { $0.leave() }
    }
    reportIfDrained()
  }

  /// Closes every connection; running calls fail.
  func close() {
    shutDown()
    for connection in leaving.values { connection.assumeIsolated { $0.close() } }
  }

  // MARK: Attempts

  private func startAttempt() {
    let started = MonotonicInstant.now
    let connection = ClientConnection(loop: loop, settings: settings, keepalive: keepalive) {
      [weak self] source, event in
      self?.assumeIsolated { $0.handle(event, of: source) }
    }
    current = connection
    earliestAttempt = started + backoff.next(random: settings.random())
    startTimer(settings.connectTimeout) { subchannel in
      subchannel.giveUp("no answer within \(subchannel.settings.connectTimeout)")
    }
    do {
      try connection.assumeIsolated { try $0.open(address) }
    } catch {
      giveUp("\(error)")
    }
  }

  private func giveUp(_ reason: String) {
    guard state == .connecting, let failed = current else { return }
    current = nil
    failed.assumeIsolated { $0.close() }
    rest(after: reason)
  }

  private func handle(_ event: ClientConnection.Event, of connection: ClientConnection) {
    if case .tooManyPings = event { keepalive?.time *= 2 }
    if leaving[ObjectIdentifier(connection)] != nil {
      guard case .closed = event else { return }
      leaving[ObjectIdentifier(connection)] = nil
      return reportIfDrained()
    }
    guard connection === current else { return }
    switch event {
    case .ready:
      timer?.cancel()
      backoff.reset()
      guard let service = settings.healthService else { return change(to: .ready) }
      watchHealth(of: connection, as: service)
    case .tooManyPings: break
    case .goingAway:
      letGo(of: connection)
      if state == .ready { change(to: .idle) } else { rest(after: "the peer goes away") }
    case .closed(let reason):
      current = nil
      healthTask?.cancel()
      if state == .ready { change(to: .idle) } else { rest(after: reason) }
    }
  }

  private func rest(after failure: String) {
    change(to: .transientFailure("\(address): \(failure)"))
    let pause = max(.zero, MonotonicInstant.now.duration(to: earliestAttempt))
    startTimer(pause) { $0.change(to: .idle) }
  }

  /// The connection finishes its calls; the health watch is none that it should wait for.
  private func letGo(of connection: ClientConnection) {
    current = nil
    leaving[ObjectIdentifier(connection)] = connection
    healthTask?.cancel()
  }

  // MARK: Health

  /// Follows the peer's health until the task is cancelled, or for good when the peer has no health
  /// service.
  private func watchHealth(of connection: ClientConnection, as service: String) {
    let watch = HealthWatch(service: service, limits: settings.limits)
    healthTask = Task(executorPreference: loop) { [self] in
      var backoff = settings.backoff
      while !Task.isCancelled {
        let end = await watch.run(on: connection) { await self.take($0, of: connection) }
        switch end {
        case .unknown: return
        case .answered: backoff.reset()
        case .failed: break
        }
        guard !Task.isCancelled else { return }
        try? await Task.sleep(for: backoff.next(random: settings.random()))
      }
    }
  }

  private func take(_ verdict: HealthWatch.Verdict, of connection: ClientConnection) {
    guard connection === current else { return }
    switch verdict {
    case .healthy: if state != .ready { change(to: .ready) }
    case .unhealthy(let reason): change(to: .transientFailure("\(address): \(reason)"))
    }
  }

  // MARK: Reports

  private func change(to state: ConnectivityState) {
    guard !isShutDown else { return }
    self.state = state
    onEvent(self, .changed(state, state == .ready ? current : nil))
  }

  private func reportIfDrained() {
    if isShutDown, leaving.isEmpty { onEvent(self, .drained) }
  }

  private func startTimer(
    _ delay: Duration,
    _ work: @escaping @Sendable (isolated Subchannel) -> Void
  ) {
    timer?.cancel()
    timer = loop.schedule(after: delay) { [self] in assumeIsolated { work($0) } }
  }
}
