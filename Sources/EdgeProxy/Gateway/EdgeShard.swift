internal import EventLoop
internal import Foundation
internal import HTTPCore
internal import JSON
internal import Net

/// The edge on one loop: its connections, its parser, the tokens it knows.
///
/// Connections of the loop call it synchronously; handlers run on it. Nothing of it is shared with
/// another loop but ``EdgeCore``.
actor EdgeShard {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  nonisolated let core: EdgeCore
  nonisolated var limits: EdgeLimits { core.limits }

  /// Room behind a collected body, so that the JSON parser needs no copy.
  static let bodyPadding = JSONParser.padding
  /// How often connections look at the clock.
  private static let tickPause: Duration = .seconds(1)

  let parser: JSONParser
  var tokens: TokenVerifier
  private var random = FastRandom()
  private var http1: [ObjectIdentifier: HTTP1Connection] = [:]
  private var http2: [ObjectIdentifier: HTTP2Connection] = [:]
  /// Connections of which nothing is known yet, and when they must have said something.
  private var silent: [ObjectIdentifier: (transport: Transport, end: MonotonicInstant)] = [:]
  private var streams: [ObjectIdentifier: EventStream] = [:]
  private var ticker: LoopTimer?
  private var isDraining = false
  /// Requests that were on their way when the drain began have come.
  private var isGraceOver = false
  private var emptyWaiter: CheckedContinuation<Void, Never>?
  private var wall: (seconds: Int64, date: String) = (0, "")

  init(loop: EventLoop, core: EdgeCore) async throws {
    self.loop = loop
    self.core = core
    parser = try JSONParser(maximumDepth: 128)
    tokens = await TokenVerifier(publicKey: core.tokenKey)
    startTicking()
  }

  // MARK: Connections

  /// Keeps a connection until it is lost.
  nonisolated func remember(_ connection: HTTP1Connection, _ transport: Transport) {
    assumeIsolated { shard in
      shard.silent[ObjectIdentifier(transport)] = nil
      shard.http1[ObjectIdentifier(connection)] = connection
      if shard.isDraining { connection.drain() }
      if shard.isGraceOver { connection.endWhenIdle() }
    }
  }

  /// Keeps a connection until it is lost.
  nonisolated func remember(_ connection: HTTP2Connection, _ transport: Transport) {
    assumeIsolated { shard in
      shard.silent[ObjectIdentifier(transport)] = nil
      shard.http2[ObjectIdentifier(connection)] = connection
      if shard.isDraining { connection.drain() }
    }
  }

  /// Waits for the first bytes of a connection.
  nonisolated func await(_ transport: Transport) {
    assumeIsolated { shard in
      let end = MonotonicInstant.now + shard.limits.headTime
      shard.silent[ObjectIdentifier(transport)] = (transport, end)
      if shard.isGraceOver { transport.close() }
    }
  }

  /// The connection is lost before it said anything.
  nonisolated func forget(_ transport: Transport) {
    assumeIsolated { shard in
      shard.silent[ObjectIdentifier(transport)] = nil
      shard.noteIfEmpty()
    }
  }

  /// The connection is lost.
  nonisolated func forget(_ connection: HTTP1Connection) {
    assumeIsolated { shard in
      shard.http1[ObjectIdentifier(connection)] = nil
      shard.noteIfEmpty()
    }
  }

  /// The connection is lost.
  nonisolated func forget(_ connection: HTTP2Connection) {
    assumeIsolated { shard in
      shard.http2[ObjectIdentifier(connection)] = nil
      shard.noteIfEmpty()
    }
  }

  /// Counts a broken rule of the protocol.
  nonisolated func countFailure(_ reason: String) {
    core.metrics.noteFailure(reason)
  }

  /// Counts and logs a connection that was ended because of its client.
  nonisolated func connectionEnded(_ kind: String, _ reason: String, _ peer: SocketAddress) {
    core.ends.connectionEnded(kind: kind, reason: reason, peer: peer, isIdle: kind == "idle")
  }

  /// Counts a request that was ended because of its client.
  nonisolated func streamEnded(_ kind: String) {
    core.ends.streamEnded(kind: kind)
  }

  // MARK: Streams of events

  func register(_ stream: EventStream) {
    streams[ObjectIdentifier(stream)] = stream
  }

  func unregister(_ stream: EventStream) {
    streams[ObjectIdentifier(stream)] = nil
  }

  // MARK: Time

  /// The wall clock in whole seconds, at most a second old.
  nonisolated var unixSeconds: Int64 { assumeIsolated { $0.wall.seconds } }

  /// The wall clock as HTTP writes it.
  nonisolated var dateText: String { assumeIsolated { $0.wall.date } }

  private func startTicking() {
    readClock()
    ticker = loop.schedule(after: Self.tickPause) { [weak self] in
      self?.assumeIsolated { $0.tick() }
    }
  }

  private func readClock() {
    let seconds = Int64(core.clock.now().timeIntervalSince1970)
    guard seconds != wall.seconds else { return }
    wall = (seconds, HTTPDate.format(unixSeconds: seconds))
  }

  private func tick() {
    startTicking()
    let now = MonotonicInstant.now
    for connection in http1.values { connection.tick(now) }
    for connection in http2.values { connection.tick(now) }
    for entry in silent.values where now >= entry.end {
      connectionEnded("slow_preface", "nothing was asked for", entry.transport.peerAddress)
      entry.transport.close()
    }
    for stream in streams.values { stream.tick(now) }
  }

  /// A request's ids.
  func identity(_ headers: HTTPHeaders) -> RequestIdentity {
    RequestIdentity(headers, random: &random)
  }

  // MARK: Drain

  /// Lets open requests end; returns when no connection is left or the time is over.
  ///
  /// A client may have sent its next request before it learns of the drain: idle connections stay
  /// open for ``EdgeLimits/drainGrace`` and answer that one, too.
  func drain(within limit: Duration) async {
    isDraining = true
    for connection in http1.values { connection.drain() }
    for connection in http2.values { connection.drain() }
    for stream in streams.values { stream.stop() }
    let grace = loop.schedule(after: limits.drainGrace) { [weak self] in
      self?.assumeIsolated { $0.endIdle() }
    }
    let timer = loop.schedule(after: limit) { [weak self] in
      self?.assumeIsolated { $0.cutAll() }
    }
    if !isEmpty {
      await withCheckedContinuation { if isEmpty { $0.resume() } else { emptyWaiter = $0 } }
    }
    grace.cancel()
    timer.cancel()
    ticker?.cancel()
    ticker = nil
  }

  private var isEmpty: Bool { http1.isEmpty && http2.isEmpty && silent.isEmpty }

  private func endIdle() {
    isGraceOver = true
    for entry in silent.values { entry.transport.close() }
    for connection in http1.values { connection.endWhenIdle() }
  }

  private func cutAll() {
    for entry in silent.values { entry.transport.close() }
    for connection in http1.values { connection.cut() }
    for connection in http2.values { connection.cut() }
    emptyWaiter?.resume()
    emptyWaiter = nil
  }

  private func noteIfEmpty() {
    guard isDraining, isEmpty else { return }
    emptyWaiter?.resume()
    emptyWaiter = nil
  }
}
