package import EventLoop
package import Logging
internal import Synchronization

/// A Redis server: one connection a loop for commands, and one for subscriptions.
///
/// A call uses the connection of the loop that it runs on, so commands of many callers leave in one
/// write. Nothing that is lost with Redis may matter: while it is away every call fails at once, and
/// no call takes longer than its timeout.
package final class RedisClient: Sendable {
  private let links: [RedisLink]
  private let subscriber: RedisSubscriber
  private let limits: RedisLimits
  // In nanoseconds.
  private let commandTimeout: Int64
  private let scriptTimeout: Int64
  private let turn = Atomic<Int>(0)

  /// Starts connecting.
  ///
  /// - Parameters:
  ///   - url: `redis://[[user]:password@]host[:port][/database]` or `unix:///path[?db=1]`.
  ///   - group: The loops; a connection for each.
  ///   - commandTimeout: The longest time of any command or script, in place of the two in `limits`.
  ///   - limits: Bounds of everything that waits.
  ///   - logger: Hears about lost connections.
  /// - Throws: ``RedisError/Kind/configuration`` when the URL cannot be used.
  package init(
    url: String,
    group: EventLoopGroup,
    commandTimeout: Duration? = nil,
    limits: RedisLimits = RedisLimits(),
    logger: Logger = Logger(label: "redis")
  ) throws(RedisError) {
    let endpoint = try RedisEndpoint(url: url)
    var limits = limits
    if let commandTimeout {
      limits.commandTimeout = commandTimeout
      limits.scriptTimeout = commandTimeout
    }
    let chosen = limits
    self.limits = chosen
    self.commandTimeout = chosen.commandTimeout.clampedNanoseconds
    scriptTimeout = chosen.scriptTimeout.clampedNanoseconds
    links = group.loops.map {
      RedisLink(loop: $0, endpoint: endpoint, limits: chosen, logger: logger)
    }
    subscriber = RedisSubscriber(
      loop: group.loops[0],
      endpoint: endpoint,
      limits: chosen,
      logger: logger
    )
    for link in links { link.start() }
  }

  private var link: RedisLink {
    if let current = EventLoop.current {
      for link in links where link.loop === current { return link }
    }
    let index = turn.wrappingAdd(1, ordering: .relaxed).oldValue
    return links[Int(UInt(bitPattern: index) % UInt(links.count))]
  }

  /// Runs one command: `redis.command("SET", key, value, "EX", 60)`.
  ///
  /// - Parameters:
  ///   - name: Its name; commands that change the connection's mode are refused.
  ///   - arguments: Texts, numbers and bytes.
  ///   - timeout: ``RedisLimits/commandTimeout`` unless given.
  /// - Returns: The answer; an error as the answer is thrown.
  /// - Throws: ``RedisError``; after `.timeout` and `.connectionLost` the command may have run.
  nonisolated(nonsending) package func command(
    _ name: String,
    _ arguments: any RedisArgument...,
    timeout: Duration? = nil
  ) async throws(RedisError) -> RedisValue {
    guard !Self.isForbidden(name) else {
      throw RedisError(.configuration, "\(name) would change the mode of a shared connection")
    }
    let link = link
    let deadline = link.deadline(after: timeout, else: commandTimeout)
    return try await link.answer(to: .named(name, arguments), until: deadline).get()
  }

  /// Runs a script as one step; its answer is what the Lua text returns.
  ///
  /// - Parameters:
  ///   - script: Kept by the caller between calls.
  ///   - keys: `KEYS` of the script.
  ///   - arguments: `ARGV` of the script.
  ///   - timeout: For everything, loading the script included; ``RedisLimits/scriptTimeout`` unless
  ///     given.
  /// - Returns: What the Lua text returned.
  /// - Throws: ``RedisError``; after `.timeout` and `.connectionLost` the script may have run.
  nonisolated(nonsending) package func run(
    _ script: RedisScript,
    keys: [String],
    arguments: [any RedisArgument] = [],
    timeout: Duration? = nil
  ) async throws(RedisError) -> RedisValue {
    try await run(script, keys, .values(arguments), timeout)
  }

  /// The same with numbers alone, which costs less.
  nonisolated(nonsending) package func run(
    _ script: RedisScript,
    keys: [String],
    arguments: [Int],
    timeout: Duration? = nil
  ) async throws(RedisError) -> RedisValue {
    try await run(script, keys, .numbers(arguments), timeout)
  }

  @inline(__always)
  nonisolated(nonsending) private func run(
    _ script: RedisScript,
    _ keys: [String],
    _ arguments: RedisCommand.ScriptArguments,
    _ timeout: Duration?
  ) async throws(RedisError) -> RedisValue {
    let link = link
    let deadline = link.deadline(after: timeout, else: scriptTimeout)
    if let evalsha = script.evalsha {
      let answer = await link.answer(to: .script(evalsha, keys, arguments), until: deadline)
      switch answer {
      case .success(let value): return value
      case .failure(let error): guard error.isMissingScript else { throw error }
      }
    }
    let evalsha = try await load(script, on: link, until: deadline)
    return try await link.answer(to: .script(evalsha, keys, arguments), until: deadline).get()
  }

  nonisolated(nonsending) private func load(
    _ script: RedisScript,
    on link: RedisLink,
    until deadline: MonotonicInstant
  ) async throws(RedisError) -> [UInt8] {
    let command = RedisCommand.named("SCRIPT", ["LOAD", script.source])
    let answer = try await link.answer(to: command, until: deadline).get()
    guard let digest = answer.text else { throw RedisError(.server, "SCRIPT LOAD gave no digest") }
    return script.setDigest(digest)
  }

  /// Sends a message to everybody who is subscribed now.
  ///
  /// - Returns: How many subscribers of this server got it.
  @discardableResult
  nonisolated(nonsending) package func publish(
    _ channel: String,
    _ payload: [UInt8]
  ) async throws(RedisError) -> Int {
    try await command("PUBLISH", channel, payload).integer ?? 0
  }

  /// Messages of a channel, from when the server has confirmed the subscription.
  ///
  /// A lost connection is restored, and messages of the time between are lost; `events(of:)` tells.
  package func subscribe(_ channel: String) -> AsyncStream<[UInt8]> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: [UInt8].self,
      bufferingPolicy: .bufferingNewest(limits.bufferedMessages)
    )
    subscriber.add(channel, onEnd: continuation) { event in
      if case .message(let payload) = event { continuation.yield(payload) }
      return true
    }
    return stream
  }

  /// Messages of a channel with the moments at which the subscription begins, at first and again.
  package func events(of channel: String) -> AsyncStream<RedisSubscriptionEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: RedisSubscriptionEvent.self,
      bufferingPolicy: .bufferingNewest(limits.bufferedMessages)
    )
    subscriber.add(channel, onEnd: continuation) { event in
      if case .dropped = continuation.yield(event) { return false }
      return true
    }
    return stream
  }

  /// Closes all connections; calls that wait get ``RedisError/Kind/closed``, streams end.
  nonisolated(nonsending) package func shutdown() async {
    for link in links { await link.shutDown() }
    await subscriber.shutDown()
  }

  deinit {
    for link in links { link.loop.submit { link.shutDownHere() } }
    let subscriber = subscriber
    subscriber.loop.submit { subscriber.assumeIsolated { $0.shutDown() } }
  }

  private static func isForbidden(_ name: String) -> Bool {
    switch name.utf8.first {
    case UInt8(ascii: "S"), UInt8(ascii: "P"), UInt8(ascii: "U"), UInt8(ascii: "M"),
      UInt8(ascii: "s"), UInt8(ascii: "p"), UInt8(ascii: "u"), UInt8(ascii: "m"):
      let upper = name.uppercased()
      return upper.hasSuffix("SUBSCRIBE") || upper == "MONITOR" || upper == "SELECT"
    default: return false
    }
  }
}
