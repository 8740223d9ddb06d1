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
  private var opening: CheckedContinuation<Result<Void, NetError>, Never>?
  private var calls: [ObjectIdentifier: ClientCall] = [:]
  private var unarmed: [ClientCall] = []
  private var isGoingAway = false
  private let onGone: @Sendable (ClientConnection) -> Void

  init(
    loop: EventLoop,
    settings: ChannelSettings,
    onGone: @escaping @Sendable (ClientConnection) -> Void
  ) {
    self.loop = loop
    self.settings = settings
    self.onGone = onGone
  }

  /// Whether the peer has spoken: with TLS 1.3 a refused client learns of it only after the handshake.
  private(set) var wasEstablished = false

  /// Calls that have not ended.
  var openCalls: Int { calls.count }

  /// Whether a new call can be sent at once.
  var isUsable: Bool { session != nil && !isGoingAway }

  /// Connects and, with TLS, authenticates the peer.
  func open(_ address: SocketAddress) async -> Result<Void, NetError> {
    await withCheckedContinuation { done in
      opening = done
      do throws(NetError) {
        transport = try Transport.connect(
          to: address,
          on: loop,
          tls: settings.tls,
          serverName: settings.serverName,
          limits: settings.transportLimits,
          delegate: self
        )
      } catch {
        opening = nil
        done.resume(returning: .failure(error))
      }
    }
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
      session.onGoAway = { [self] _, _, _ in leave() }
      self.session = session
      transport.setNeedsFlush()
      opening?.resume(returning: .success(()))
    } catch {
      opening?.resume(returning: .failure(.unreachable("\(error)")))
      transport.close()
    }
    opening = nil
  }

  private func receive(_ bytes: UnsafeRawBufferPointer) {
    guard let session else { return }
    do {
      try session.receive(bytes)
    } catch {
      transport?.closeAfterFlush()
    }
    if session.didReceiveSettings { wasEstablished = true }
    giveBackWindows()
    closeIfDone()
    transport?.setNeedsFlush()
  }

  private func fill(_ buffer: inout OutputBuffer) {
    guard let session else { return }
    do {
      try session.fill(&buffer)
    } catch {
      transport?.close()
      return
    }
    if session.isFinished { transport?.closeAfterFlush() }
  }

  private func closed(_ error: NetError?) {
    let reason = error.map { "\($0)" } ?? "the peer closed the connection"
    opening?.resume(returning: .failure(error ?? .unreachable(reason)))
    opening = nil
    for call in calls.values { call.end(.failure(.runtime(.unavailable, reason))) }
    calls = [:]
    session?.closeAllStreams(.cancel)
    session = nil
    transport = nil
    onGone(self)
  }

  /// The peer takes no new calls here: its channel needs another connection.
  private func leave() {
    guard !isGoingAway else { return }
    isGoingAway = true
    onGone(self)
  }

  /// After a GOAWAY the connection lives as long as its calls.
  private func closeIfDone() {
    guard isGoingAway, calls.isEmpty else { return }
    transport?.closeAfterFlush()
  }

  // MARK: Calls

  /// Sends the head of a call, and for a unary call everything.
  func start(
    _ method: MethodDescriptor,
    _ options: CallOptions,
    deadline: ContinuousClock.Instant,
    onlyMessage: [UInt8]?
  ) throws(ServiceError) -> ClientCall {
    guard let session, !isGoingAway else { throw .runtime(.unavailable, "not connected") }
    let timeout = ContinuousClock.now.duration(to: deadline)
    guard timeout > .zero else { throw .runtime(.deadlineExceeded, "no time left for the call") }
    let call = ClientCall(
      deadline: deadline,
      compression: options.compression,
      limits: settings.limits
    )
    let head = settings.requestHead(method, options, timeout: timeout)
    do {
      let stream = try session.submitRequest(head, endStream: false, handler: call)
      call.stream = stream
      if var frame = onlyMessage {
        Compression.seal(&frame, with: options.compression)
        session.send(stream, frame)
        session.finish(stream)
      }
    } catch {
      throw .runtime(.unavailable, "\(error)")
    }
    calls[ObjectIdentifier(call)] = call
    if unarmed.isEmpty { loop.enqueueFlush(self) }
    unarmed.append(call)
    transport?.setNeedsFlush()
    return call
  }

  /// Runs a unary call to its end.
  func unary(_ call: ClientCall) async throws(ServiceError) -> RPCReply {
    while !call.isEnded {
      await withCheckedContinuation { call.wait($0) { _ in false } }
    }
    forget(call)
    if case .failure(let error) = call.outcome { throw error }
    guard call.waitingMessages == 1, let message = try call.takeMessage() else {
      throw .runtime(.internalError, "a unary reply has exactly one message")
    }
    return RPCReply(
      message: message,
      wasCompressed: call.wasCompressed,
      headers: Metadata(call.headers ?? [:]),
      trailers: Metadata(call.trailers ?? [:])
    )
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

  /// Sends one message; waits while the peer is slow.
  func send(
    _ frame: [UInt8],
    on call: ClientCall,
    compress: Bool
  ) async throws(ServiceError) {
    guard let session, let stream = call.stream, !call.isEnded else {
      if case .failure(let error) = call.outcome { throw error }
      throw .runtime(.cancelled, "the call has ended")
    }
    var frame = frame
    Compression.seal(&frame, with: compress ? call.compression : nil)
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
    for call in ended { calls[ObjectIdentifier(call)] = nil }
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
    let now = ContinuousClock.now
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
