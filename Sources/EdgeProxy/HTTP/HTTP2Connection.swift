internal import EventLoop
internal import HTTP2
internal import HTTPCore
internal import Net

/// One HTTP/2 connection: drives the session and hands its requests to the shard.
actor HTTP2Connection {
  /// How far it has come with taking its leave (RFC 9113 §6.8).
  private enum Departure {
    case none
    /// The first GOAWAY is out; the client has read it when it has answered the PING behind it.
    case announced
    /// So is the last: requests that came until now are answered.
    case final
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let shard: EdgeShard
  private let transport: Transport
  private let limits: EdgeLimits
  private let session: HTTP2Session
  private let touched = TouchedExchanges()
  private var open: [ObjectIdentifier: HTTP2Exchange] = [:]
  /// Handlers that run, also those whose client has reset the stream.
  private var running = 0
  private var departure = Departure.none
  private var isGone = false
  private var isEndReported = false

  init(transport: Transport, shard: EdgeShard) throws(HTTP2Error) {
    loop = transport.loop
    self.transport = transport
    self.shard = shard
    limits = shard.limits
    session = try HTTP2Session(role: .server, limits: limits.http2)
    let headTime = limits.headTime
    session.onStreamOpened = { [touched] stream in
      stream.handler = HTTP2Exchange(stream: stream, touched: touched, deadline: .now + headTime)
    }
    transport.setNeedsFlush()
  }

  // MARK: From the transport

  /// Takes bytes from the client.
  nonisolated func receive(_ bytes: UnsafeRawBufferPointer) {
    // The bytes are used before the call returns.
    nonisolated(unsafe) let bytes = bytes
    assumeIsolated { $0.take(bytes) }
  }

  /// Appends what there is to send.
  nonisolated func fill(_ buffer: inout OutputBuffer) {
    withUnsafeMutablePointer(to: &buffer) { buffer in
      nonisolated(unsafe) let buffer = buffer
      assumeIsolated { $0.flush(into: &buffer.pointee) }
    }
  }

  /// The connection is lost.
  nonisolated func didClose(_ error: NetError?) {
    assumeIsolated { $0.lose(error) }
  }

  /// Looks at the clock, about once a second.
  nonisolated func tick(_ now: MonotonicInstant) {
    assumeIsolated { $0.checkTime(now) }
  }

  /// Tells the client to go elsewhere; open requests, and those on their way, are answered.
  nonisolated func drain() {
    assumeIsolated { $0.leave() }
  }

  /// Ends the connection at once.
  nonisolated func cut() { transport.close() }

  private func leave() {
    guard case .none = departure else { return }
    session.announceShutdown()
    departure = .announced
    transport.setNeedsFlush()
    _ = loop.schedule(after: limits.drainGrace) { [weak self] in
      self?.assumeIsolated { $0.refuseNewRequests() }
    }
  }

  /// The client knows, or has had the time to.
  private func refuseNewRequests() {
    guard case .announced = departure, !isGone else { return }
    departure = .final
    session.goAway()
    transport.setNeedsFlush()
    closeIfDrained()
  }

  private func take(_ bytes: UnsafeRawBufferPointer) {
    do {
      try session.receive(bytes)
    } catch {
      end(because: error)
    }
    advanceAll()
    if case .announced = departure, session.isShutdownAcknowledged { refuseNewRequests() }
    transport.setNeedsFlush()
  }

  /// Ends the connection because of its client, who is told why if it still reads.
  private func end(because error: HTTP2Error) {
    report(error.kind, "\(error)")
    transport.closeAfterFlush(within: session.limits.times.farewell)
  }

  /// One report a connection, whatever else goes wrong with it.
  private func report(_ kind: String, _ reason: String) {
    guard !isEndReported else { return }
    isEndReported = true
    shard.connectionEnded(kind, reason, transport.peerAddress)
  }

  private func flush(into buffer: inout OutputBuffer) {
    do {
      try session.fill(&buffer)
    } catch {
      // No farewell can be sent either.
      report(error.kind, "\(error)")
      return transport.close()
    }
    // Closing of streams is noticed while sending, too.
    if !touched.isEmpty { advanceAll() }
    if let fault = session.fault { return end(because: fault) }
    if session.isFinished { transport.closeAfterFlush() }
  }

  private func lose(_ error: NetError?) {
    isGone = true
    if let end = ConnectionLoss(error) { report(end.kind, end.reason) }
    session.closeAllStreams(.cancel)
    advanceAll()
    shard.forget(self)
  }

  // MARK: Requests

  private func advanceAll() {
    while !touched.isEmpty {
      for exchange in touched.take() { advance(exchange) }
    }
  }

  private func advance(_ exchange: HTTP2Exchange) {
    if exchange.closeCode != nil { return abandon(exchange) }
    if case .waiting = exchange.mode { admit(exchange) }
    takeBody(of: exchange)
    guard exchange.isRequestComplete else { return }
    exchange.deadline = nil
    switch exchange.mode {
    case .collect(let request, _):
      guard !exchange.isServed else { return }
      let body = exchange.body
      exchange.body = []
      start(request, body, exchange)
    case .stream: exchange.queue.finish()
    case .waiting, .discard: break
    }
  }

  private func admit(_ exchange: HTTP2Exchange) {
    guard exchange.head != nil || exchange.isHeadOversized else { return }
    open[ObjectIdentifier(exchange)] = exchange
    guard !exchange.isHeadOversized else {
      return refuse(exchange, Problem(protocolFailure: 431, "headTooLarge"))
    }
    guard running < limits.requestsPerConnection else {
      session.reset(exchange.stream, .refusedStream)
      return
    }
    do {
      let head = try HTTP2RequestHead.make(exchange.head ?? [:])
      exchange.head = HeaderBlock()
      exchange.isHead = head.method == .head
      exchange.declaredLength = HeaderRules.contentLength(head.headers)
      admit(exchange, head)
    } catch {
      refuse(exchange, error)
    }
  }

  private func admit(_ exchange: HTTP2Exchange, _ head: HTTPRequestHead) {
    let info = ConnectionInfo(peer: transport.peerAddress, isSecure: transport.isSecure)
    switch shard.admit(head, from: info) {
    case .answer(let response):
      exchange.mode = .discard
      send(response, exchange)
    case .collect(let request, let limit):
      exchange.mode = .collect(request, limit: limit)
      exchange.deadline = .now + limits.bodyTime
    case .stream(let request, let limit):
      exchange.mode = .stream(limit: limit)
      exchange.deadline = .now + limits.bodyPause
      start(request, [], exchange)
    }
  }

  private func takeBody(of exchange: HTTP2Exchange) {
    let bytes = exchange.incoming
    exchange.incoming = []
    switch exchange.mode {
    case .collect(_, let limit):
      guard exchange.received <= limit else { return refuse(exchange, .bodyTooLarge(limit)) }
      exchange.body.append(contentsOf: bytes)
      consume(exchange)
    case .stream(let limit):
      guard exchange.received <= limit else {
        exchange.mode = .discard
        exchange.queue.fail(Problem.bodyTooLarge(limit))
        return consume(exchange)
      }
      exchange.queue.append(bytes)
      exchange.pace.count(bytes.count)
      if !bytes.isEmpty { exchange.deadline = .now + limits.bodyPause }
      if exchange.queue.waiting <= limits.uploadBufferBytes { consume(exchange) }
    case .discard:
      consume(exchange)
      if exchange.received > exchange.skipLimit { session.reset(exchange.stream, .noError) }
    case .waiting: break
    }
  }

  private func consume(_ exchange: HTTP2Exchange) {
    guard exchange.unconsumed > 0 else { return }
    session.consume(exchange.stream, exchange.unconsumed)
    exchange.unconsumed = 0
    transport.setNeedsFlush()
  }

  private func start(_ request: AdmittedRequest, _ body: [UInt8], _ exchange: HTTP2Exchange) {
    exchange.isServed = true
    running += 1
    let shard = shard
    exchange.task = Task(executorPreference: loop) { [self] in
      await shard.serve(request, body, for: .http2(self, exchange))
      await handlerEnded()
    }
  }

  private func handlerEnded() {
    running -= 1
    closeIfDrained()
  }

  private func refuse(_ exchange: HTTP2Exchange, _ problem: Problem) {
    exchange.mode = .discard
    consume(exchange)
    send(shard.answer(to: problem), exchange)
  }

  /// The client reset the stream, the exchange is complete, or the connection is lost.
  private func abandon(_ exchange: HTTP2Exchange) {
    open[ObjectIdentifier(exchange)] = nil
    exchange.mode = .discard
    exchange.queue.fail(CancellationError())
    exchange.resumeProducers()
    if !exchange.isAnswerComplete { exchange.task?.cancel() }
    exchange.task = nil
    closeIfDrained()
  }

  private func closeIfDrained() {
    guard case .final = departure, open.isEmpty, running == 0, !isGone else { return }
    transport.closeAfterFlush()
  }

  // MARK: Answers

  /// Sends a whole answer.
  func respond(_ response: EdgeResponse, to exchange: HTTP2Exchange) {
    send(response, exchange)
  }

  private func send(_ response: EdgeResponse, _ exchange: HTTP2Exchange) {
    guard canBegin(exchange) else { return }
    let hasBody = !response.body.isEmpty && !exchange.isHead
    let length = response.head.status.forbidsBody ? nil : response.body.count
    let block = HTTP2ResponseHead.block(response.head, length: length, shard.dateText)
    exchange.isAnswerBegun = true
    session.submitResponse(exchange.stream, block, endStream: !hasBody)
    if hasBody {
      session.send(exchange.stream, response.body)
      session.finish(exchange.stream)
    }
    complete(exchange)
  }

  private func canBegin(_ exchange: HTTP2Exchange) -> Bool {
    !isGone && exchange.closeCode == nil && !exchange.isAnswerBegun
  }

  private func complete(_ exchange: HTTP2Exchange) {
    exchange.isAnswerComplete = true
    if !exchange.isRequestComplete { skipBody(of: exchange) }
    consume(exchange)
    transport.setNeedsFlush()
  }

  /// The rest of the body is of no use (RFC 9113 §8.1).
  ///
  /// A short rest is taken and dropped, since many clients read no answer before they have sent
  /// everything; a longer one is cut off.
  private func skipBody(of exchange: HTTP2Exchange) {
    exchange.mode = .discard
    exchange.deadline = .now + limits.skippedBodyTime
    let rest = (exchange.declaredLength ?? 0) - exchange.received
    exchange.stream.resetsAfterEnd = rest > limits.skippedBodyBytes
    exchange.skipLimit = exchange.received + limits.skippedBodyBytes
  }

  /// Starts an answer whose body follows.
  func begin(_ head: HTTPResponseHead, length: Int?, of exchange: HTTP2Exchange) {
    guard canBegin(exchange) else { return }
    exchange.isAnswerBegun = true
    let block = HTTP2ResponseHead.block(head, length: length, shard.dateText)
    session.submitResponse(exchange.stream, block, endStream: exchange.isHead)
    transport.setNeedsFlush()
  }

  /// Sends a piece of the body; false when the client has gone.
  func write(_ bytes: [UInt8], to exchange: HTTP2Exchange) async -> Bool {
    guard !isGone, exchange.closeCode == nil, exchange.isAnswerBegun, !exchange.isAnswerComplete
    else { return false }
    if exchange.isHead { return true }
    let hasRoom = session.send(exchange.stream, bytes)
    transport.setNeedsFlush()
    if !hasRoom {
      await withCheckedContinuation { exchange.producers.append($0) }
    }
    return !isGone && exchange.closeCode == nil
  }

  /// Ends the body.
  func end(_ exchange: HTTP2Exchange) {
    guard !isGone, exchange.closeCode == nil, !exchange.isAnswerComplete else { return }
    if !exchange.isHead { session.finish(exchange.stream) }
    complete(exchange)
  }

  /// Breaks the answer off.
  func abort(_ exchange: HTTP2Exchange) {
    guard !isGone else { return }
    session.reset(exchange.stream, .internalError)
    transport.setNeedsFlush()
  }

  /// The next piece of a streamed body; nil at its end.
  func read(from exchange: HTTP2Exchange) async throws -> [UInt8]? {
    if let piece = try exchange.queue.take() {
      if exchange.queue.waiting <= limits.uploadBufferBytes / 2 { consume(exchange) }
      return piece
    }
    if exchange.queue.isComplete { return nil }
    consume(exchange)
    return try await withCheckedThrowingContinuation { exchange.queue.wait($0) }
  }

  // MARK: Time

  private func checkTime(_ now: MonotonicInstant) {
    do {
      let stalled = try session.tick(now, extraWork: running)
      for _ in 0..<stalled { shard.streamEnded("slow_read") }
      if stalled > 0 { transport.setNeedsFlush() }
    } catch .timeout(.idle) {
      report(HTTP2Timeout.idle.rawValue, "nothing was asked for")
      return leave()
    } catch {
      return end(because: error)
    }
    for exchange in open.values { checkTime(exchange, now) }
  }

  private func checkTime(_ exchange: HTTP2Exchange, _ now: MonotonicInstant) {
    guard !exchange.isRequestComplete else { return }
    if exchange.isAnswerComplete {
      guard let deadline = exchange.deadline, now >= deadline else { return }
      session.reset(exchange.stream, .noError)
      return transport.setNeedsFlush()
    }
    var isLate = exchange.deadline.map { now >= $0 } ?? false
    if case .stream = exchange.mode, exchange.queue.waiting == 0 {
      isLate = isLate || exchange.pace.isTooSlow(now, limits)
    }
    if case .collect = exchange.mode {
      isLate = isLate || exchange.isBodyLate(now, session.limits.times)
    }
    guard isLate else { return }
    shard.countFailure("tooSlow")
    shard.streamEnded("slow_body")
    let problem = Problem(protocolFailure: 408, "tooSlow")
    if case .stream = exchange.mode {
      exchange.mode = .discard
      exchange.queue.fail(problem)
    } else {
      refuse(exchange, problem)
    }
  }
}
