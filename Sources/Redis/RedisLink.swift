internal import EventLoop
internal import Logging

/// The connection of one loop.
///
///     connecting ── first answer ──▶ ready ── end, or no answer ──▶ waiting ── pause ──▶ connecting
///
/// Commands of all callers share the connection; answers come in the order of the commands. While
/// there is no connection, commands fail at once, except before the very first attempt has ended:
/// those wait for it, within their own time.
///
/// No actor: a caller on the loop, which is nearly every one, sends without leaving its task. Timers hold
/// the link, until `shutDown` at the latest, and nobody holds it weakly: counting references to an
/// object that is held weakly takes a slower way at every call.
// @unchecked: all state is touched on the loop only; what others call goes there first.
final class RedisLink: @unchecked Sendable {
  let loop: EventLoop

  typealias Answer = Result<RedisValue, RedisError>
  typealias Completion = UnsafeContinuation<Answer, Never>

  /// A command without an answer.
  private struct Pending {
    /// nil once the caller has given up; the answer is then dropped.
    var completion: Completion?
    var deadline: MonotonicInstant
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
  // Unchecked: no method uses it while it is being changed, and to have that checked costs at each call.
  @exclusivity(unchecked)
  private var pending = RingQueue<Pending>(minimumCapacity: 64)
  private var early: [(command: RedisCommand, pending: Pending)] = []
  private var isFirstAttempt = true
  private var lastError: RedisError?
  private var sweepTimer: LoopTimer?
  private var sweepAt: MonotonicInstant?

  init(loop: EventLoop, endpoint: RedisEndpoint, limits: RedisLimits, logger: Logger) {
    self.loop = loop
    self.endpoint = endpoint
    self.limits = limits
    self.logger = logger
    backoff = Backoff(first: .milliseconds(20), longest: limits.longestBackoff)
  }

  func start() {
    loop.submit { self.connect() }
  }

  // MARK: Commands

  /// When a call that begins now must have ended.
  func deadline(after timeout: Duration?, else usual: Int64) -> MonotonicInstant {
    .now.advanced(byNanoseconds: timeout?.clampedNanoseconds ?? usual)
  }

  /// Sends a command and waits for its answer, until `deadline` at most.
  ///
  /// The wait ignores cancellation of the task: it is short and bounded.
  nonisolated(nonsending) func answer(
    to command: RedisCommand,
    until deadline: MonotonicInstant
  ) async -> Answer {
    await withUnsafeContinuation { (completion: Completion) in
      let entry = Pending(completion: completion, deadline: deadline)
      if loop.isCurrent {
        submit(command, entry)
      } else {
        loop.submit { self.submit(command, entry) }
      }
    }
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
    _ = loop.schedule(after: limits.connectTimeout) { self.connectTimedOut(number) }
    switch endpoint.place {
    case .unix(let path): open(.unix(path: path), number)
    case .tcp(let host, let port):
      Task(executorPreference: loop) {
        do {
          let addresses = try await self.loop.resolve(host, port: port)
          self.open(addresses[(number - 1) % addresses.count], number)
        } catch {
          self.lose("looking up the host: \(error)", number)
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
      send(command, Pending(completion: nil, deadline: .now, isHandshake: true))
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
    _ = loop.schedule(after: pause) { self.connect() }
  }

  private func failAll(_ kind: RedisError.Kind, _ reason: String) {
    while let entry = pending.popFirst() { refuse(entry, kind, reason) }
    let waiting = early
    early = []
    for (_, entry) in waiting { refuse(entry, .unavailable, reason) }
  }

  /// Closes for good, from any thread; calls that wait get ``RedisError/Kind/closed``.
  func shutDown() async {
    await withUnsafeContinuation { (completion: UnsafeContinuation<Void, Never>) in
      loop.submit {
        self.shutDownHere()
        completion.resume()
      }
    }
  }

  /// The same on the loop.
  func shutDownHere() {
    guard state != .closed else { return }
    state = .closed
    sweepTimer?.cancel()
    context?.close()
    context = nil
    failAll(.closed, "the client is shut down")
  }

  // MARK: Answers

  private func answer(_ value: RedisValue, _ number: Int) {
    guard let entry = pending.popFirst() else { return lose("an answer without a command", number) }
    guard entry.isHandshake else {
      guard let completion = entry.completion else { return }
      if case .error(let message) = value {
        completion.resume(returning: .failure(RedisError(.server, message)))
      } else {
        completion.resume(returning: .success(value))
      }
      return
    }
    // Also LOADING and MASTERDOWN come here: such a server is not of use yet.
    if case .error(let message) = value { return lose(message, number) }
    if pending.isEmpty { becomeReady() }
  }

  // MARK: Deadlines

  private func scheduleSweep(at instant: MonotonicInstant) {
    if let sweepAt, sweepAt <= instant { return }
    sweepTimer?.cancel()
    sweepAt = instant
    sweepTimer = loop.schedule(after: instant - .now) { self.sweep() }
  }

  /// Answers those whose time is over, and drops a connection that has stopped answering.
  private func sweep() {
    sweepAt = nil
    guard state != .closed else { return }
    let now = MonotonicInstant.now
    var next: MonotonicInstant?
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
    _ now: MonotonicInstant,
    _ next: inout MonotonicInstant?
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
  func contextDidConnect(_ id: Int) {
    if id == contextNumber { handshake() }
  }

  func context(_ id: Int, didReceive value: RedisValue) {
    if id == contextNumber { answer(value, id) }
  }

  func contextDidEnd(_ id: Int, _ reason: String) { lose(reason, id) }
}

extension RedisEndpoint {
  /// What is sent before anything else: AUTH and SELECT as configured, then PING.
  var handshake: [RedisCommand] {
    var commands: [RedisCommand] = []
    if let password {
      commands.append(.named("AUTH", user.map { [$0, password] } ?? [password]))
    }
    if database != 0 { commands.append(.named("SELECT", [database])) }
    commands.append(.named("PING", []))
    return commands
  }
}
