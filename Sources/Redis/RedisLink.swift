internal import EventLoop
internal import Logging

/// The connection of one loop: an actor pinned to it.
///
///     connecting ── first answer ──▶ ready ── end, or no answer ──▶ waiting ── pause ──▶ connecting
///
/// Commands of all callers share the connection; answers come in the order of the commands. While
/// there is no connection, commands fail at once, except before the very first attempt has ended:
/// those wait for it, within their own time.
actor RedisLink {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  typealias Completion = UnsafeContinuation<Result<RedisValue, RedisError>, Never>

  /// A command without an answer.
  private struct Pending {
    /// nil once the caller has given up; the answer is then dropped.
    var completion: Completion?
    var deadline: ContinuousClock.Instant
    var isHandshake = false
  }

  private enum State { case connecting, ready, waiting, closed }

  private let endpoint: RedisEndpoint
  private let limits: RedisLimits
  private let logger: Logger
  private var state: State = .waiting
  private var context: RedisContext?
  private var contextNumber = 0
  private var backoff: Backoff
  private var pending = RingQueue<Pending>(minimumCapacity: 64)
  private var early: [(command: RedisCommand, pending: Pending)] = []
  private var isFirstAttempt = true
  private var lastError: RedisError?
  private var sweepTimer: LoopTimer?
  private var sweepAt: ContinuousClock.Instant?

  init(loop: EventLoop, endpoint: RedisEndpoint, limits: RedisLimits, logger: Logger) {
    self.loop = loop
    self.endpoint = endpoint
    self.limits = limits
    self.logger = logger
    backoff = Backoff(first: .milliseconds(20), longest: limits.longestBackoff)
  }

  nonisolated func start() {
    loop.submit { self.assumeIsolated { $0.connect() } }
  }

  // MARK: Commands

  /// Sends a finished command and waits for its answer, at most `timeout`.
  ///
  /// The wait ignores cancellation of the task: it is short and bounded.
  func run(_ command: RedisCommand, timeout: Duration) async throws(RedisError) -> RedisValue {
    let deadline = loop.now + timeout
    let result = await withUnsafeContinuation { (completion: Completion) in
      submit(command, Pending(completion: completion, deadline: deadline))
    }
    let value = try result.get()
    if case .error(let message) = value { throw RedisError(.server, message) }
    return value
  }

  private func submit(_ command: RedisCommand, _ entry: Pending) {
    switch state {
    case .ready:
      guard pending.count < limits.commandsInFlight else {
        return refuse(entry, .overloaded, "\(limits.commandsInFlight) commands wait for answers")
      }
      send(command, entry)
    case .connecting, .waiting:
      guard isFirstAttempt else {
        return refuse(entry, .unavailable, lastError?.message ?? "there is no connection")
      }
      guard early.count < limits.commandsBeforeConnect else {
        return refuse(entry, .overloaded, "\(early.count) commands wait for the first connection")
      }
      early.append((command, entry))
      scheduleSweep(at: entry.deadline)
    case .closed:
      refuse(entry, .closed, "the client is shut down")
    }
  }

  private func refuse(_ entry: Pending, _ kind: RedisError.Kind, _ message: String) {
    entry.completion?.resume(returning: .failure(RedisError(kind, message)))
  }

  private func send(_ command: RedisCommand, _ entry: Pending) {
    guard let context, context.send(command) else {
      return refuse(entry, .connectionLost, "the connection has ended")
    }
    pending.append(entry)
    scheduleSweep(at: entry.deadline)
  }

  // MARK: Connecting

  private func connect() {
    guard state == .waiting else { return }
    state = .connecting
    contextNumber += 1
    let number = contextNumber
    _ = loop.schedule(after: limits.connectTimeout) { [weak self] in
      self?.assumeIsolated { $0.connectTimedOut(number) }
    }
    switch endpoint.place {
    case .unix(let path): open(.unix(path: path), number)
    case .tcp(let host, let port):
      Task(executorPreference: loop) {
        do {
          let addresses = try await self.loop.resolve(host, port: port)
          await self.open(addresses[(number - 1) % addresses.count], number)
        } catch {
          await self.lose("looking up the host: \(error)", number)
        }
      }
    }
  }

  private func open(_ address: SocketAddress, _ number: Int) {
    guard state == .connecting, number == contextNumber else { return }
    do {
      let context = try RedisContext(id: number, loop: loop, to: address, owner: self)
      self.context = context
      context.begin()
    } catch {
      lose(error.message, number)
    }
  }

  /// Logs in, selects the database and asks for a sign of life.
  private func handshake() {
    for command in endpoint.handshake {
      send(command, Pending(completion: nil, deadline: loop.now, isHandshake: true))
    }
  }

  private func becomeReady() {
    state = .ready
    isFirstAttempt = false
    lastError = nil
    backoff.reset()
    let commands = early
    early = []
    for (command, entry) in commands { send(command, entry) }
  }

  private func connectTimedOut(_ number: Int) {
    guard state == .connecting else { return }
    lose("no connection within \(limits.connectTimeout)", number)
  }

  /// Drops the connection, answers everybody and tries again after a pause.
  private func lose(_ reason: String, _ number: Int) {
    guard number == contextNumber, state == .connecting || state == .ready else { return }
    state = .waiting
    isFirstAttempt = false
    lastError = RedisError(.unavailable, reason)
    context?.close()
    context = nil
    failAll(.connectionLost, reason)
    let pause = backoff.next()
    let fields: Logger.Metadata = ["error": "\(reason)", "retry_in": "\(pause)"]
    logger.warning("redis connection lost", metadata: fields)
    _ = loop.schedule(after: pause) { [weak self] in self?.assumeIsolated { $0.connect() } }
  }

  private func failAll(_ kind: RedisError.Kind, _ reason: String) {
    while let entry = pending.popFirst() { refuse(entry, kind, reason) }
    let waiting = early
    early = []
    for (_, entry) in waiting { refuse(entry, .unavailable, reason) }
  }

  func shutDown() {
    guard state != .closed else { return }
    state = .closed
    sweepTimer?.cancel()
    context?.close()
    context = nil
    failAll(.closed, "the client is shut down")
  }

  // MARK: Answers

  private func act(on events: [RedisContext.Event], _ number: Int) {
    for event in events where number == contextNumber {
      switch event {
      case .connected: handshake()
      case .reply(let value): answer(value, number)
      case .noReply: break
      case .ended(let reason): lose(reason, number)
      }
    }
  }

  private func answer(_ value: RedisValue, _ number: Int) {
    guard let entry = pending.popFirst() else { return lose("an answer without a command", number) }
    guard entry.isHandshake else {
      entry.completion?.resume(returning: .success(value))
      return
    }
    // Also LOADING and MASTERDOWN come here: such a server is not of use yet.
    if case .error(let message) = value { return lose(message, number) }
    if pending.isEmpty { becomeReady() }
  }

  // MARK: Deadlines

  private func scheduleSweep(at instant: ContinuousClock.Instant) {
    if let sweepAt, sweepAt <= instant { return }
    sweepTimer?.cancel()
    sweepAt = instant
    sweepTimer = loop.schedule(after: instant - loop.now) { [weak self] in
      self?.assumeIsolated { $0.sweep() }
    }
  }

  /// Answers those whose time is over, and drops a connection that has stopped answering.
  private func sweep() {
    sweepAt = nil
    guard state != .closed else { return }
    let now = loop.now
    var next: ContinuousClock.Instant?
    for offset in 0..<pending.count {
      guard var entry = pending[offset], entry.completion != nil else { continue }
      if entry.deadline > now {
        next = min(next ?? entry.deadline, entry.deadline)
        continue
      }
      refuse(entry, .timeout, "no answer in time")
      entry.completion = nil
      pending[offset] = entry
    }
    sweepEarly(now, &next)
    if let oldest = pending.first, !oldest.isHandshake {
      let last = oldest.deadline + limits.stallTimeout
      if last <= now { return lose("the server does not answer", contextNumber) }
      next = min(next ?? last, last)
    }
    if let next { scheduleSweep(at: next) }
  }

  private func sweepEarly(
    _ now: ContinuousClock.Instant,
    _ next: inout ContinuousClock.Instant?
  ) {
    let waiting = early
    early = []
    for item in waiting {
      if item.pending.deadline <= now {
        refuse(item.pending, .unavailable, "there is no connection yet")
      } else {
        early.append(item)
        next = min(next ?? item.pending.deadline, item.pending.deadline)
      }
    }
  }
}

extension RedisLink: RedisContextOwner {
  nonisolated func contextIsReady(_ id: Int, _ events: FDEvents) {
    assumeIsolated { link in
      guard let context = link.context, context.id == id else { return }
      context.handle(events)
      link.act(on: context.takeEvents(), id)
    }
  }

  nonisolated func contextHasEvents(_ id: Int) {
    assumeIsolated { link in
      guard let context = link.context, context.id == id else { return }
      link.act(on: context.takeEvents(), id)
    }
  }
}

extension RedisEndpoint {
  /// What is sent before anything else: AUTH and SELECT as configured, then PING.
  var handshake: [RedisCommand] {
    var commands: [RedisCommand] = []
    if let password {
      var auth = RedisCommand("AUTH", argumentCount: user == nil ? 1 : 2)
      user?.write(to: &auth)
      password.write(to: &auth)
      commands.append(auth)
    }
    if database != 0 {
      var select = RedisCommand("SELECT", argumentCount: 1)
      database.write(to: &select)
      commands.append(select)
    }
    commands.append(RedisCommand("PING", argumentCount: 0))
    for index in commands.indices { commands[index].finish() }
    return commands
  }
}
