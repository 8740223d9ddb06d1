internal import EventLoop
internal import Net

/// A channel's part on one loop: resolver → load-balancing policy → subchannels → connections.
///
/// It drives the policy, which is a value: hands it what the resolver and the subchannels report, does
/// what it asks for, and keeps the calls that must wait for a connection.
actor LoopChannel {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  let configuration: Channel.Configuration
  private let settings: ChannelSettings
  /// Keeps retries few; each loop has its own.
  var throttle: RetryThrottle
  private var balancer: LoadBalancer
  private var subchannels: [SubchannelID: Subchannel] = [:]
  private var ready: [SubchannelID: ClientConnection] = [:]
  /// Subchannels that finish their calls.
  private var draining: [ObjectIdentifier: Subchannel] = [:]
  private var resolution: ResolutionSchedule
  /// The last answer for each endpoint; one that cannot be looked up now keeps its old one.
  private var addresses: [[SocketAddress]]
  private var waiting: [CheckedContinuation<Void, Never>] = []
  /// Counts what those who wait are woken for.
  private var changes = 0
  /// By method; each is kept with its counters, so that no other takes its place in memory.
  private var counters: [ObjectIdentifier: (MethodDescriptor, any AttemptCounters)] = [:]
  private var isStarted = false
  private var isClosed = false

  init(_ configuration: Channel.Configuration, loop: EventLoop) {
    self.configuration = configuration
    self.loop = loop
    settings = ChannelSettings(configuration)
    throttle = RetryThrottle(configuration.serviceConfig.retryThrottling ?? .standard)
    balancer = LoadBalancer(
      configuration.serviceConfig.loadBalancing ?? configuration.loadBalancing,
      start: Int(configuration.random() * 1_000)
    )
    resolution = ResolutionSchedule(
      minInterval: configuration.minResolutionInterval,
      backoff: configuration.backoff
    )
    addresses = Array(repeating: [], count: configuration.endpoints.count)
  }

  /// Closes every connection for good; running and waiting calls fail.
  func close() {
    isClosed = true
    ready = [:]
    for subchannel in Array(subchannels.values) + Array(draining.values) {
      subchannel.assumeIsolated { $0.close() }
    }
    subchannels = [:]
    wakeWaiting()
  }

  // MARK: Metrics

  func countStarted(_ kind: AttemptKind, _ method: MethodDescriptor) {
    counters(of: method)?.attemptStarted(kind)
  }

  func countWithheld(_ reason: WithheldReason, _ method: MethodDescriptor) {
    counters(of: method)?.attemptWithheld(reason)
  }

  /// Neither locks nor allocates, but for the first call of a method.
  private func counters(of method: MethodDescriptor) -> (any AttemptCounters)? {
    guard let metrics = configuration.attemptMetrics else { return nil }
    if let (_, known) = counters[ObjectIdentifier(method)] { return known }
    let new = metrics.counters(of: method)
    counters[ObjectIdentifier(method)] = (method, new)
    return new
  }

  // MARK: Picks

  private enum Picked {
    case connection(ClientConnection)
    case queue
    case fail(String)
  }

  private func pick() -> Picked {
    guard isStarted else {
      isStarted = true
      act(on: resolution.requested(at: .now))
      return .queue
    }
    switch balancer.pick() {
    case .subchannel(let id): return ready[id].map(Picked.connection) ?? .queue
    case .queue: return .queue
    case .fail(let reason): return .fail(reason)
    }
  }

  /// The connection for the next call.
  ///
  /// - Throws: ``ServiceError`` `.unavailable` when every address has failed and the call waits no
  ///   longer, `.deadlineExceeded` at the deadline, `.cancelled` when the task is cancelled.
  func connection(
    deadline: MonotonicInstant,
    waitForReady: Bool
  ) async throws(ServiceError) -> ClientConnection {
    if !isClosed, case .connection(let connection) = pick() { return connection }
    let giveUp = waitForReady ? deadline : min(deadline, .now + configuration.patience)
    while true {
      let now = MonotonicInstant.now
      guard !isClosed else { throw .runtime(.unavailable, "the channel is closed") }
      guard !Task.isCancelled else { throw .runtime(.cancelled, "the call was cancelled") }
      var wait = now.duration(to: deadline)
      let seen = changes
      switch pick() {
      case .connection(let connection): return connection
      case .fail(let reason) where now >= giveUp && !waitForReady:
        throw .runtime(.unavailable, "no connection: \(reason)")
      case .fail: wait = min(wait, max(.zero, now.duration(to: giveUp)))
      case .queue: break
      }
      guard now < deadline else {
        throw .runtime(.deadlineExceeded, "no connection within the deadline")
      }
      guard waiting.count < configuration.maxWaitingCalls else {
        throw .runtime(.unavailable, "too many calls wait for a connection")
      }
      await waitForChange(after: seen, atMost: wait)
    }
  }

  /// Returns when the choice of connections has changed, the time is over or the task is cancelled.
  private func waitForChange(after seen: Int, atMost time: Duration) async {
    let timer = loop.schedule(after: time) { [self] in assumeIsolated { $0.wakeWaiting() } }
    await withTaskCancellationHandler {
      await withCheckedContinuation { done in
        // Checked in here: the task may have been suspended since the pick.
        if changes != seen || Task.isCancelled { done.resume() } else { waiting.append(done) }
      }
    } onCancel: {
      loop.submit { self.assumeIsolated { $0.wakeWaiting() } }
    }
    timer.cancel()
  }

  private func wakeWaiting() {
    changes += 1
    let woken = waiting
    waiting = []
    for done in woken { done.resume() }
  }

  // MARK: Policy

  private func perform(_ actions: [BalancerAction]) {
    for action in actions {
      switch action {
      case .create(let id, let address):
        subchannels[id] = Subchannel(id, address, loop: loop, settings: settings) {
          [weak self] subchannel, event in
          self?.assumeIsolated { $0.handle(event, of: subchannel) }
        }
      case .connect(let id): subchannels[id]?.assumeIsolated { $0.connect() }
      case .shutDown(let id): shutDown(id)
      case .resolveAgain: act(on: resolution.requested(at: .now))
      }
    }
  }

  private func shutDown(_ id: SubchannelID) {
    ready[id] = nil
    guard let subchannel = subchannels.removeValue(forKey: id) else { return }
    draining[ObjectIdentifier(subchannel)] = subchannel
    subchannel.assumeIsolated { $0.shutDown() }
  }

  private func handle(_ event: Subchannel.Event, of subchannel: Subchannel) {
    switch event {
    case .drained: draining[ObjectIdentifier(subchannel)] = nil
    case .changed(let state, let connection):
      guard !isClosed, subchannels[subchannel.id] === subchannel else { return }
      ready[subchannel.id] = connection
      perform(balancer.changed(subchannel.id, state))
      wakeWaiting()
    }
  }

  // MARK: Names

  private func act(on action: ResolutionSchedule.Action) {
    guard !isClosed else { return }
    switch action {
    case .none: break
    case .resolve: Task(executorPreference: loop) { [self] in await resolve() }
    case .wait(let pause):
      _ = loop.schedule(after: pause) { [weak self] in
        self?.assumeIsolated { $0.act(on: $0.resolution.timerFired()) }
      }
    }
  }

  /// Looks every endpoint up; fails only when nothing at all is known.
  private func resolve() async {
    var failure = ""
    for (index, endpoint) in configuration.endpoints.enumerated() {
      do {
        addresses[index] = try await configuration.resolve(endpoint, loop)
      } catch {
        failure = "cannot resolve \(endpoint): \(error)"
      }
    }
    guard !isClosed else { return }
    if failure.isEmpty {
      resolution.answered(at: .now)
    } else {
      act(on: resolution.failed(random: configuration.random()))
    }
    let known = Array(addresses.joined())
    if known.isEmpty, !failure.isEmpty {
      balancer.resolutionFailed(failure)
    } else {
      perform(balancer.resolved(known))
    }
    wakeWaiting()
  }
}

extension ChannelSettings {
  init(_ configuration: Channel.Configuration) {
    let config = configuration.serviceConfig
    let policy = config.loadBalancing ?? configuration.loadBalancing
    self.init(
      tls: configuration.tls,
      serverName: configuration.serverName,
      limits: configuration.limits,
      transportLimits: TransportLimits(),
      backoff: configuration.backoff,
      connectTimeout: configuration.connectTimeout,
      keepalive: configuration.keepalive,
      // As in gRPC, pick_first asks nobody: it would stay with a sick peer all the same.
      healthService: policy == .pickFirst ? nil : config.healthCheckService,
      random: configuration.random
    )
  }
}
