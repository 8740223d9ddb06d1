internal import EventLoop
internal import HTTP2
internal import Net

/// One connection of a channel: drives the HTTP/2 session and holds the calls that are on it.
actor ClientConnection: TransportDelegate, TurnFlushable {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let settings: ChannelSettings
  private var transport: Transport?
  private var session: HTTP2Session?
  private var calls: [ObjectIdentifier: ClientCall] = [:]
  private var unarmed: [ClientCall] = []
  private var isGoingAway = false
  private var isReady = false
  private var keepalive: Keepalive?
  private var keepaliveTimer: LoopTimer?
  /// Why we close the connection, where that is our own decision.
  private var closeReason: String?
  private let onEvent: @Sendable (ClientConnection, Event) -> Void

  /// What its subchannel is told; on the loop.
  enum Event: Sendable {
    /// The peer's SETTINGS have come: calls can be sent.
    case ready
    /// The peer takes no new calls; those that run go on.
    case goingAway
    /// The peer complains about our keepalive pings.
    case tooManyPings
    /// The last event; the text says why.
    case closed(String)
  }

  init(
    loop: EventLoop,
    settings: ChannelSettings,
    keepalive: KeepaliveSettings? = nil,
    onEvent: @escaping @Sendable (ClientConnection, Event) -> Void
  ) {
    self.loop = loop
    self.settings = settings
    self.keepalive = keepalive.map(Keepalive.init)
    self.onEvent = onEvent
  }

  /// Calls that have not ended.
  var openCalls: Int { calls.count }

  /// Connects and, with TLS, authenticates the peer.
  ///
  /// - Throws: ``NetError`` when not even a socket can be made; no event follows then.
  func open(_ address: SocketAddress) throws(NetError) {
    transport = try Transport.connect(
      to: address,
      on: loop,
      tls: settings.tls,
      serverName: settings.serverName,
      limits: settings.transportLimits,
      delegate: self
    )
  }

  /// Ends the connection; its calls fail.
  func close() { transport?.close() }

  // MARK: Transport

  nonisolated func transportDidOpen(_ transport: Transport) {
    assumeIsolated { $0.opened(transport) }
  }

  nonisolated func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {
    // The bytes are used before the call returns.
    nonisolated(unsafe) let bytes = bytes
    assumeIsolated { $0.receive(bytes) }
  }

  nonisolated func transportDidReceiveEOF(_ transport: Transport) {
    transport.close()
  }

  nonisolated func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {
    withUnsafeMutablePointer(to: &buffer) { buffer in
      nonisolated(unsafe) let buffer = buffer
      assumeIsolated { $0.fill(&buffer.pointee) }
    }
  }

  nonisolated func transportDidClose(_ transport: Transport, error: NetError?) {
    assumeIsolated { $0.closed(error) }
  }

  private func opened(_ transport: Transport) {
    do {
      let session = try HTTP2Session(role: .client, limits: settings.limits.http2)
      session.onGoAway = { [self] _, code, debug in leave(code, debug) }
      self.session = session
      transport.setNeedsFlush()
    } catch {
      closeReason = "\(error)"
      transport.close()
    }
  }

  /// Ends the connection, telling the peer why if it still reads.
  private func end(because error: HTTP2Error) {
    closeReason = closeReason ?? "\(error)"
    // Before that nobody sends calls here, and the reason is of use to those who wait.
    if isReady { leave() }
    transport?.closeAfterFlush(within: settings.limits.http2.times.farewell)
  }

  private func receive(_ bytes: UnsafeRawBufferPointer) {
    guard let session else { return }
    keepalive?.heard()
    do {
      try session.receive(bytes)
    } catch {
      end(because: error)
    }
    if !isReady, session.didReceiveSettings {
      isReady = true
      if let keepalive { restKeepalive(keepalive.settings.time) }
      onEvent(self, .ready)
    }
    giveBackWindows()
    closeIfDone()
    transport?.setNeedsFlush()
  }

  private func fill(_ buffer: inout OutputBuffer) {
    guard let session else { return }
    do {
      try session.fill(&buffer)
    } catch {
      closeReason = "\(error)"
      transport?.close()
      return
    }
    if let fault = session.fault { return end(because: fault) }
    if session.isFinished { transport?.closeAfterFlush() }
  }

  private func closed(_ error: NetError?) {
    let reason = closeReason ?? error.map { "\($0)" } ?? "the peer closed the connection"
    keepaliveTimer?.cancel()
    for call in calls.values {
      let wasSent = call.stream.map { session?.didSend($0) ?? true } ?? false
      call.connectionDidClose(reason, wasSent: wasSent)
    }
    calls = [:]
    session?.closeAllStreams(.cancel)
    session = nil
    transport = nil
    onEvent(self, .closed(reason))
  }

  /// The peer goes away; with `too_many_pings` our keepalive is why.
  private func leave(_ code: UInt32, _ debug: String) {
    if code == HTTP2ErrorCode.enhanceYourCalm.rawValue, debug == "too_many_pings" {
      onEvent(self, .tooManyPings)
    }
    leave()
  }

  /// Takes no new calls: it closes when those that run have ended.
  func leave() {
    guard !isGoingAway else { return }
    isGoingAway = true
    onEvent(self, .goingAway)
    if session == nil { transport?.close() } else { closeIfDone() }
  }

  /// After a GOAWAY the connection lives as long as its calls.
  private func closeIfDone() {
    guard isGoingAway, calls.isEmpty else { return }
    transport?.closeAfterFlush()
  }

  // MARK: Keepalive

  private func restKeepalive(_ pause: Duration) {
    keepaliveTimer = loop.schedule(after: pause) { [weak self] in
      self?.assumeIsolated { $0.checkPeer() }
    }
  }

  private func checkPeer() {
    guard let session, let action = keepalive?.timerFired(hasCalls: !calls.isEmpty) else { return }
    switch action {
    case .rest(let pause): restKeepalive(pause)
    case .ping(let pause):
      session.ping()
      transport?.setNeedsFlush()
      restKeepalive(pause)
    case .close:
      closeReason = "the peer does not answer keepalive pings"
      transport?.close()
    }
  }

  // MARK: Calls

  /// Sends the head of a call, and for a unary call everything.
  ///
  /// `onlyMessage` is the sealed frame of a unary call, `previousAttempts` the number of attempts that
  /// the peer may have seen. False when the connection takes no calls any more; nothing was sent then.
  func start(
    _ call: ClientCall,
    _ method: MethodDescriptor,
    _ options: CallOptions,
    onlyMessage: [UInt8]?,
    previousAttempts: Int = 0
  ) -> Bool {
    guard let session, !isGoingAway else { return false }
    let timeout = MonotonicInstant.now.duration(to: call.deadline)
    guard timeout > .zero else {
      call.end(.failure(.runtime(.deadlineExceeded, "no time left for the call")))
      return true
    }
    let head = settings.requestHead(
      method,
      options,
      timeout: timeout,
      previousAttempts: previousAttempts
    )
    do {
      let stream = try session.submitRequest(head, endStream: false, handler: call)
      call.stream = stream
      if let onlyMessage {
        session.send(stream, onlyMessage)
        session.finish(stream)
      }
    } catch {
      // Out of stream identifiers or of memory, or going away.
      leave()
      transport?.setNeedsFlush()
      return false
    }
    calls[ObjectIdentifier(call)] = call
    if unarmed.isEmpty { loop.enqueueFlush(self) }
    unarmed.append(call)
    transport?.setNeedsFlush()
    return true
  }

  /// Returns when the call has ended.
  func waitForEnd(of call: ClientCall) async {
    while !call.isEnded {
      await withCheckedContinuation { call.wait($0) { _ in false } }
    }
  }

  /// Takes what a unary call has brought; the call has ended.
  func takeReply(_ call: ClientCall) -> Result<RPCReply, ServiceError> {
    forget(call)
    if case .failure(let error) = call.outcome { return .failure(error) }
    do throws(ServiceError) {
      guard call.waitingMessages == 1, let message = try call.takeMessage() else {
        throw .runtime(.internalError, "a unary reply has exactly one message")
      }
      return .success(
        RPCReply(
          message: message,
          wasCompressed: call.wasCompressed,
          headers: Metadata(call.headers ?? [:]),
          trailers: Metadata(call.trailers ?? [:])
        )
      )
    } catch {
      return .failure(error)
    }
  }

  /// The next message of a streaming call, nil after the last.
  func nextMessage(of call: ClientCall) async throws(ServiceError) -> [UInt8]? {
    while true {
      if call.waitingMessages > 0 {
        defer { giveBackWindow(call) }
        do {
          return try call.takeMessage()
        } catch {
          cancel(call, error)
          throw error
        }
      }
      if let outcome = call.outcome {
        forget(call)
        try outcome.get()
        return nil
      }
      await withCheckedContinuation { call.wait($0) { $0.waitingMessages > 0 } }
    }
  }

  /// Whether the message that was taken last came compressed.
  func wasCompressed(_ call: ClientCall) -> Bool { call.wasCompressed }

  /// The reply's headers, as soon as they are there.
  func headers(of call: ClientCall) async throws(ServiceError) -> Metadata {
    while true {
      if let headers = call.headers { return Metadata(headers) }
      if case .failure(let error) = call.outcome { throw error }
      if call.isEnded { return Metadata([:]) }
      await withCheckedContinuation { call.wait($0) { $0.headers != nil } }
    }
  }

  /// The metadata at the end of the reply; a reply without messages has all of it in one block.
  func trailers(of call: ClientCall) async -> Metadata {
    while !call.isEnded {
      await withCheckedContinuation { call.wait($0) { _ in false } }
    }
    if let trailers = call.trailers { return Metadata(trailers) }
    guard let headers = call.headers, headers.value(of: "grpc-status") != nil else {
      return Metadata([:])
    }
    return Metadata(headers)
  }

  /// Sends one sealed frame; waits while the peer is slow.
  func send(_ frame: [UInt8], on call: ClientCall) async throws(ServiceError) {
    guard let session, let stream = call.stream, !call.isEnded else {
      if case .failure(let error) = call.outcome { throw error }
      throw .runtime(.cancelled, "the call has ended")
    }
    let hasRoom = session.send(stream, frame)
    transport?.setNeedsFlush()
    guard !hasRoom else { return }
    await withCheckedContinuation { call.waitForRoom($0) }
    if case .failure(let error) = call.outcome { throw error }
  }

  /// Tells the peer that no more messages come.
  func finishSending(_ call: ClientCall) {
    guard let session, let stream = call.stream else { return }
    session.finish(stream)
    transport?.setNeedsFlush()
  }

  /// Gives the call up; the peer is told.
  func cancel(_ call: ClientCall, _ error: ServiceError) {
    if let session, let stream = call.stream { session.reset(stream, .cancel) }
    call.end(.failure(error))
    forget(call)
    transport?.setNeedsFlush()
  }

  private func forget(_ call: ClientCall) {
    calls[ObjectIdentifier(call)] = nil
    // Unread bytes count against the window of the whole connection. What still comes on the stream
    // has no reader, and the session gives it back by itself.
    giveBackWindow(call)
    call.stream?.handler = nil
    closeIfDone()
  }

  // MARK: Flow control and deadlines

  /// Windows of the calls that want more, and the end of those that nobody may read to their end.
  private func giveBackWindows() {
    var ended: [ClientCall] = []
    for call in calls.values {
      if call.hasRoom || call.isEnded { giveBackWindow(call) }
      if call.isEnded { ended.append(call) }
    }
    for call in ended {
      calls[ObjectIdentifier(call)] = nil
      cutOff(call)
    }
  }

  /// A peer that goes on after the end of a call, its own or one for its fault, is told to stop.
  private func cutOff(_ call: ClientCall) {
    guard let session, let stream = call.stream else { return }
    session.reset(stream, .cancel)
  }

  private func giveBackWindow(_ call: ClientCall) {
    guard let session, let stream = call.stream, call.unconsumed > 0 else { return }
    session.consume(stream, call.takeUnconsumed())
    transport?.setNeedsFlush()
  }

  /// At the end of the turn, also while the peer reads nothing.
  nonisolated func flush() {
    assumeIsolated { $0.armDeadlines() }
  }

  private func armDeadlines() {
    let now = MonotonicInstant.now
    for call in unarmed where !call.isEnded {
      call.deadlineTimer = loop.schedule(after: now.duration(to: call.deadline)) { [self] in
        assumeIsolated {
          $0.cancel(call, .runtime(.deadlineExceeded, "the deadline has passed"))
        }
      }
    }
    unarmed.removeAll(keepingCapacity: true)
  }
}
