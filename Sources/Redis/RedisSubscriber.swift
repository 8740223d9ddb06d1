internal import EventLoop
internal import Logging

/// What happens to a subscription.
package enum RedisSubscriptionEvent: Sendable, Hashable {
  /// The server has confirmed: messages sent from now on arrive, earlier ones may be missing.
  case subscribed
  /// A message's payload.
  case message([UInt8])
}

/// One connection in subscribed mode for all channels of a client. An actor pinned to its loop.
///
/// It is opened with the first subscription and restored for ever. A channel of its own stays
/// subscribed all the time: subscribing to it again is the sign of life that is asked for at intervals.
actor RedisSubscriber {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private static let checkInterval: Duration = .seconds(15)
  private static let checkTimeout: Duration = .seconds(3)
  private static let ownChannel = "oneshot:alive"

  /// Takes an event; false when an earlier one had to make room for it.
  typealias Sink = @Sendable (RedisSubscriptionEvent) -> Bool

  private struct Subscription {
    let sink: Sink
    let end: @Sendable () -> Void
  }

  private enum State { case idle, connecting, ready, waiting, closed }

  private let endpoint: RedisEndpoint
  private let limits: RedisLimits
  private let logger: Logger
  private var state: State = .idle
  private var context: RedisContext?
  private var contextNumber = 0
  private var backoff: Backoff
  private var handshakeLeft = 0
  private var channels: [String: [Int: Subscription]] = [:]
  private var lastID = 0
  /// Signs of life that were asked for and have not come.
  private var checksLeft = 0

  init(loop: EventLoop, endpoint: RedisEndpoint, limits: RedisLimits, logger: Logger) {
    self.loop = loop
    self.endpoint = endpoint
    self.limits = limits
    self.logger = logger
    backoff = Backoff(first: .milliseconds(20), longest: limits.longestBackoff)
  }

  /// Adds a stream that gets its events through `sink` until it is terminated.
  nonisolated func add<Element>(
    _ channel: String,
    onEnd continuation: AsyncStream<Element>.Continuation,
    sink: @escaping Sink
  ) {
    let subscription = Subscription(sink: sink) { continuation.finish() }
    loop.submit { [self] in
      assumeIsolated { subscriber in
        let id = subscriber.insert(subscription, channel)
        continuation.onTermination = { _ in
          subscriber.loop.submit { subscriber.assumeIsolated { $0.remove(id, channel) } }
        }
      }
    }
  }

  private func insert(_ subscription: Subscription, _ channel: String) -> Int {
    lastID += 1
    guard state != .closed else {
      subscription.end()
      return lastID
    }

    channels[channel, default: [:]][lastID] = subscription
    if state == .ready {
      // For a known channel the server confirms again, which is what the new stream waits for.

      send("SUBSCRIBE", channel)
    } else {
      connect()
    }
    return lastID
  }

  private func remove(_ id: Int, _ channel: String) {
    channels[channel]?[id] = nil
    guard channels[channel]?.isEmpty == true else { return }
    channels[channel] = nil
    if state == .ready { send("UNSUBSCRIBE", channel) }
  }

  private func send(_ name: String, _ channel: String) {
    _ = context?.send(.named(name, [channel]))
  }

  func shutDown() {
    guard state != .closed else { return }
    state = .closed
    context?.close()
    context = nil
    let open = channels.values.flatMap(\.values)
    channels = [:]
    for subscription in open { subscription.end() }
  }

  // MARK: Connection

  private func connect() {
    guard state == .idle || state == .waiting else { return }
    state = .connecting
    contextNumber += 1
    let number = contextNumber
    _ = loop.schedule(after: limits.connectTimeout) { [weak self] in
      self?.assumeIsolated { subscriber in
        guard subscriber.state == .connecting else { return }
        subscriber.lose("no connection in time", number)
      }
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

  private func lose(_ reason: String, _ number: Int) {
    guard number == contextNumber, state == .connecting || state == .ready else { return }
    state = .waiting
    context?.close()
    context = nil
    let pause = backoff.next()
    let fields: Logger.Metadata = ["error": "\(reason)", "retry_in": "\(pause)"]
    logger.warning("redis subscriptions lost", metadata: fields)
    _ = loop.schedule(after: pause) { [weak self] in self?.assumeIsolated { $0.connect() } }
  }

  // MARK: Messages

  private func connected(_ number: Int) {
    guard number == contextNumber else { return }
    let commands = endpoint.handshake
    handshakeLeft = commands.count
    for command in commands { _ = context?.send(command) }
  }

  private func take(_ value: RedisValue, _ number: Int) {
    guard number == contextNumber else { return }
    if handshakeLeft > 0 { continueHandshake(value, number) } else { received(value) }
  }

  private func continueHandshake(_ value: RedisValue, _ number: Int) {
    if case .error(let message) = value { return lose(message, number) }
    handshakeLeft -= 1
    guard handshakeLeft == 0 else { return }
    state = .ready
    checksLeft = 0
    check(number)
    for channel in channels.keys { send("SUBSCRIBE", channel) }
  }

  /// Arrays of kind, channel and payload; for a confirmation the payload is a count.
  private func received(_ value: RedisValue) {
    guard let parts = value.array, parts.count >= 3, let channel = parts[1].text else { return }
    switch parts[0].text {
    case "subscribe" where channel == Self.ownChannel:
      checksLeft = 0
      backoff.reset()
    case "subscribe": deliver(.subscribed, to: channel)
    case "message": deliver(.message(parts[2].bytes ?? []), to: channel)
    default: break
    }
  }

  private func deliver(_ event: RedisSubscriptionEvent, to channel: String) {
    guard let subscriptions = channels[channel] else { return }
    for subscription in subscriptions.values where !subscription.sink(event) {
      // Something was dropped from a full buffer: as if the connection had been lost.
      _ = subscription.sink(.subscribed)
    }
  }

  /// Asks for a sign of life now and then, and drops a connection that gives none.
  private func check(_ number: Int) {
    guard state == .ready, number == contextNumber else { return }
    checksLeft += 1
    send("SUBSCRIBE", Self.ownChannel)
    _ = loop.schedule(after: Self.checkTimeout) { [weak self] in
      self?.assumeIsolated { subscriber in
        guard subscriber.state == .ready, subscriber.checksLeft > 0 else { return }
        subscriber.lose("the server does not answer", number)
      }
    }
    _ = loop.schedule(after: Self.checkInterval) { [weak self] in
      self?.assumeIsolated { $0.check(number) }
    }
  }
}

extension RedisSubscriber: RedisContextOwner {
  nonisolated func contextDidConnect(_ id: Int) {
    assumeIsolated { $0.connected(id) }
  }

  nonisolated func context(_ id: Int, didReceive value: RedisValue) {
    assumeIsolated { $0.take(value, id) }
  }

  nonisolated func contextDidEnd(_ id: Int, _ reason: String) {
    assumeIsolated { $0.lose(reason, id) }
  }
}
