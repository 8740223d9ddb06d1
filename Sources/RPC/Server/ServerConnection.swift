internal import EventLoop
internal import HTTP2
internal import Net

/// One connection of a server: drives the HTTP/2 session and runs the handlers of its calls.
///
/// Loop only, but for its making. It is no actor: all that calls it is on the loop already, and to
/// prove that to the runtime costs more than the work (docs/decisions/2026-11-21-loop-confined.md).
// @unchecked: confined to its loop; what comes from tasks checks that it is there.
final class ServerConnection: TransportDelegate, TurnFlushable, @unchecked Sendable {
  let loop: EventLoop
  let server: ServerCore
  var transport: Transport?
  var session: HTTP2Session?
  private let touched = TouchedCalls()
  /// Calls that began in this turn: those still running at its end get a deadline timer.
  private var unarmed: [ServerCall] = []
  private var lastMethod: Method?
  /// Calls that wait until the peer has read more of what is queued for it.
  private var parked: [ServerCall] = []
  /// Handlers that run, also those whose call is over.
  private(set) var handlers = 0
  private var ticker: ConnectionTicker?
  var keeper: ConnectionKeeper
  /// How often bytes have come, and pings that the keeper knows of.
  private(set) var reads = 0
  var pingsSeen = 0
  var departure = Departure.none
  private var isEndReported = false

  init(loop: EventLoop, server: ServerCore) {
    self.loop = loop
    self.server = server
    keeper = ConnectionKeeper(
      limits: server.limits.connection,
      opened: .now,
      chance: .random(in: -1...1)
    )
  }

  // MARK: Transport

  func transportDidOpen(_ transport: Transport) {
    self.transport = transport
    do {
      let session = try HTTP2Session(role: .server, limits: server.limits.http2)
      session.onStreamOpened = { [touched, limits = server.limits] stream in
        stream.handler = ServerCall(stream: stream, touched: touched, limits: limits)
      }
      self.session = session
      if server.connections.add(self) { drain() }
      ticker = server.tickers.ticker(of: loop)
      ticker?.add(self)
      transport.setNeedsFlush()
    } catch {
      report(ConnectionEnd(error, peer: transport.peerAddress))
      transport.close()
    }
  }

  func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {
    guard let session else { return }
    reads += 1
    do {
      try session.receive(bytes)
    } catch {
      end(because: error)
    }
    if session.pingsReceived != pingsSeen { judgePings() }
    advanceCalls()
    if departure.isAcknowledged(in: session) { refuseNewCalls() }
    transport.setNeedsFlush()
  }

  func transportDidReceiveEOF(_ transport: Transport) {
    transport.close()
  }

  /// Ends the connection because of its peer, who is told why if it still reads.
  func end(because error: HTTP2Error) {
    guard let transport else { return }
    report(ConnectionEnd(error, peer: transport.peerAddress))
    transport.closeAfterFlush(within: server.limits.http2.times.farewell)
  }

  /// One report a connection, whatever else goes wrong with it.
  func report(_ end: ConnectionEnd?) {
    guard let end, !isEndReported else { return }
    isEndReported = true
    server.connectionEnded(end)
  }

  func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {
    guard let session else { return }
    do {
      try session.fill(&buffer)
    } catch {
      // No farewell can be sent either.
      report(ConnectionEnd(error, peer: transport.peerAddress))
      transport.close()
      return
    }
    // Closing of streams is noticed while sending, too.
    if !touched.isEmpty { advanceCalls() }
    if !parked.isEmpty { unpark() }
    if let fault = session.fault { return end(because: fault) }
    if session.isFinished { transport.closeAfterFlush() }
  }

  func transportDidClose(_ transport: Transport, error: NetError?) {
    report(ConnectionEnd(error, wasOpen: session != nil, peer: transport.peerAddress))
    ticker?.remove(self)
    ticker = nil
    session?.closeAllStreams(.cancel)
    advanceCalls()
    session = nil
    self.transport = nil
    server.connections.remove(self)
  }

  // MARK: Calls

  private func advanceCalls() {
    while let call = touched.popFirst() { advance(call) }
  }

  private func advance(_ call: ServerCall) {
    if call.closeCode != nil { return abandon(call) }
    if call.state == .receiving { if isCongested { park(call) } else { begin(call) } }
    if let failure = call.failure, call.state != .finished { fail(call, failure) }
    call.wakeReader()
    giveBackWindow(call)
    if call.skipsUntil != nil, call.received > server.limits.skippedBodyBytes { cutOff(call) }
  }

  /// The peer has much to read before more is done for it.
  private var isCongested: Bool { session?.isCongested ?? false }

  private func park(_ call: ServerCall) {
    guard !call.isParked else { return }
    call.isParked = true
    parked.append(call)
  }

  /// Goes on with the calls that waited, when the peer has read enough.
  private func unpark() {
    guard !isCongested else { return }
    let calls = parked
    parked = []
    for call in calls {
      call.isParked = false
      advance(call)
    }
  }

  /// Starts the handler: of a unary call when its message is complete, of others at once.
  private func begin(_ call: ServerCall) {
    if call.context == nil {
      do {
        try admit(call)
      } catch {
        return refuse(call, error)
      }
    }
    guard call.state == .receiving, let method = call.method else { return }
    switch method.body {
    case .unary:
      guard call.isEnded || call.messages.count > 1 || call.failure != nil else { return }
      if let failure = call.failure { return fail(call, failure) }
      guard call.messages.count == 1 else {
        return fail(call, .runtime(.unimplemented, "a unary call takes exactly one message"))
      }
    case .stream: break
    }
    run(call)
  }

  /// Runs a handler on the loop; what it returns or throws ends the call.
  private func run(_ call: ServerCall) {
    // A client that resets its calls at once shall not have more handlers than one that waits.
    guard handlers < server.limits.http2.maxConcurrentStreams else {
      session?.reset(call.stream, .refusedStream)
      return end(call, .runtime(.unavailable, "too many handlers of cancelled calls still run"))
    }
    call.state = .running
    handlers += 1
    let task = ticker?.handlers.start(call, of: self)
    // Most handlers have answered by now.
    guard call.state == .running else { return }
    call.task = task
    if unarmed.isEmpty { loop.enqueueFlush(self) }
    unarmed.append(call)
  }

  /// Runs the handler of a call, which is on the loop.
  ///
  /// - Returns: The framed reply; nil of a stream, whose handler has sent its replies itself.
  func reply(to call: ServerCall) async throws -> [UInt8]? {
    guard let context = call.context, let body = call.method?.body else { return nil }
    guard let scope = server.scope else { return try await run(body, call, context) }
    return try await scope(context) { try await run(body, call, context) }
  }

  private func run(
    _ body: Method.Body,
    _ call: ServerCall,
    _ context: ServerContext
  ) async throws -> [UInt8]? {
    switch body {
    case .unary(let body):
      guard let received = call.messages.popFirst() else { return nil }
      return try await body(try plain(received, of: call), context)
    case .stream(let body):
      let requests = RawRequestStream(connection: self, call: call)
      let responses = RawResponseWriter(connection: self, call: call)
      try await body(requests, responses, context)
      return nil
    }
  }

  /// Reads the head: which method, whether the caller may, until when.
  private func admit(_ call: ServerCall) throws(CallRefusal) {
    if call.isHeadOversized { throw .http(431) }
    guard let head = call.head.take() else { return }
    let request = try RequestHead(head)
    guard let method = withExtendedLifetime(head, { method(at: request.path) }) else {
      throw .status(.runtime(.unimplemented, "unknown method \(head.value(of: ":path") ?? "")"))
    }
    let caller = transport?.peerService
    guard !server.requiresCaller || method.allows(caller) else {
      throw .status(
        .runtime(.permissionDenied, "\(caller ?? "an unnamed peer") may not call this method")
      )
    }
    if departure == .final { throw .status(.runtime(.unavailable, "the server is shutting down")) }
    call.method = method
    let context = ServerContext(
      method: method.descriptor,
      caller: caller,
      metadata: Metadata(head),
      deadline: call.started + server.timeout(of: method.descriptor, asked: request.timeout),
      loop: loop,
      hopMargin: server.limits.hopMargin
    )
    call.context = context
    call.requestCompression = request.compression
    guard !server.interceptors.isEmpty else { return }
    do {
      for interceptor in server.interceptors { try interceptor.callWillStart(context) }
    } catch {
      throw .status(error)
    }
  }

  /// The method at a path: often that of the call before, whose look-up is spared.
  private func method(at path: UnsafeBufferPointer<UInt8>) -> Method? {
    if let lastMethod, lastMethod.isAt(path) { return lastMethod }
    lastMethod = server.registry.method(at: path)
    return lastMethod
  }

  /// Opens the peer's window again for what the handler has taken or will take soon.
  private func giveBackWindow(_ call: ServerCall) {
    guard !call.isParked else { return }
    let mayConsume = call.isUnary || call.messages.count < server.limits.maxBufferedMessages
    guard call.unconsumed > 0, mayConsume || call.state == .finished else { return }
    session?.consume(call.stream, call.unconsumed)
    call.unconsumed = 0
    transport?.setNeedsFlush()
  }

  /// The next message, for a handler that is on the loop.
  nonisolated(nonsending) func nextMessage(of call: ServerCall) async throws -> [UInt8]? {
    loop.preconditionCurrent()
    while true {
      if let received = call.messages.popFirst() {
        giveBackWindow(call)
        do throws(ServiceError) {
          return try plain(received, of: call)
        } catch {
          fail(call, error)
          throw error
        }
      }
      try checkRunning(call)
      // The handler may be here before the connection has ended the call for it.
      if let failure = call.failure { throw failure }
      if call.isEnded { return nil }
      await withCheckedContinuation { call.waitForMessage($0) }
    }
  }

  /// Inflates a message only when its handler takes it: what waits stays as small as it came.
  private func plain(_ message: ReceivedMessage, of call: ServerCall) throws(ServiceError)
    -> [UInt8]
  {
    guard message.isCompressed || call.requestCompression != nil else { return message.bytes }
    call.context?.noteRequest(isCompressed: message.isCompressed)
    return try message.plain(call.requestCompression, limit: server.limits.maxReceiveMessageBytes)
  }

  /// Seals a frame where it is and queues it, for a handler that is on the loop.
  ///
  /// - Returns: Whether there is room for another.
  func send(_ frame: inout [UInt8], on call: ServerCall, compress: Bool?) throws -> Bool {
    loop.preconditionCurrent()
    try checkRunning(call)
    guard let session else { throw ServiceError.runtime(.cancelled, "the client has gone") }
    if compress == true, !call.didSendHeaders { call.context?.compressReply() }
    if !call.didSendHeaders { startResponse(call, call.context, in: session) }
    Compression.seal(&frame, with: compress == false ? nil : call.responseCompression)
    let hasRoom = session.send(call.stream, frame)
    transport?.setNeedsFlush()
    return hasRoom
  }

  /// Returns when the client has taken enough of what is queued.
  nonisolated(nonsending) func waitForRoom(on call: ServerCall) async throws {
    await withCheckedContinuation { call.waitForRoom($0) }
    try checkRunning(call)
  }

  private func checkRunning(_ call: ServerCall) throws(ServiceError) {
    guard call.state == .running, call.closeCode == nil else {
      throw call.failure ?? .runtime(.cancelled, "the call has ended")
    }
  }

  // MARK: Answers

  private func startResponse(
    _ call: ServerCall,
    _ context: ServerContext?,
    in session: HTTP2Session
  ) {
    call.didSendHeaders = true
    guard let head = context?.replyHead else {
      return session.submitResponse(call.stream, ResponseHead.plain)
    }
    call.responseCompression = head.compression
    let block = ResponseHead.block(adding: head.headers, compression: head.compression)
    session.submitResponse(call.stream, block, endStream: false)
  }

  /// Sends the reply of a unary call, or the end of a stream.
  func complete(_ call: ServerCall, _ reply: inout [UInt8]?) {
    handlerEnded(call)
    guard call.state == .running, let session, call.closeCode == nil else { return end(call, nil) }
    let context = call.context
    if !call.didSendHeaders { startResponse(call, context, in: session) }
    // Taken, not copied: the frame is sealed where it is.
    if var frame = reply.take() {
      Compression.seal(&frame, with: call.responseCompression)
      session.send(call.stream, frame)
    }
    if let extra = context?.replyTrailers {
      session.finish(call.stream, trailers: ResponseHead.trailers(adding: extra))
    } else {
      session.finish(call.stream, trailers: ResponseHead.ok)
    }
    stopReceiving(call, in: session)
    end(call, nil)
  }

  func handlerFailed(_ call: ServerCall, _ error: ServiceError) {
    handlerEnded(call)
    fail(call, error)
  }

  private func handlerEnded(_ call: ServerCall) {
    loop.preconditionCurrent()
    handlers -= 1
    // It runs the handlers of other calls from now on.
    call.task = nil
  }

  @inline(never)
  func fail(_ call: ServerCall, _ error: ServiceError) {
    guard call.state != .finished else { return }
    call.failure = error
    if call.closeCode == nil, let session {
      var trailers = call.didSendHeaders ? HeaderBlock() : ResponseHead.trailersOnly
      if !call.didSendHeaders, let headers = call.context?.replyHead?.headers {
        trailers.append(contentsOf: headers)
      }
      StatusDetails.append(error, to: &trailers)
      if let extra = call.context?.replyTrailers { trailers.append(contentsOf: extra) }
      if call.didSendHeaders {
        session.finish(call.stream, trailers: trailers)
      } else {
        session.submitResponse(call.stream, trailers, endStream: true)
      }
      stopReceiving(call, in: session)
    }
    end(call, error)
    call.task?.cancel()
  }

  /// Answers a call that never became one.
  @inline(never)
  private func refuse(_ call: ServerCall, _ refusal: CallRefusal) {
    switch refusal {
    case .status(let error): fail(call, error)
    case .http(let status, let hasBody):
      // The answer to HEAD has none (RFC 9110 §9.3.2).
      let body = hasBody ? ResponseHead.httpBody(status) : nil
      session?.submitResponse(call.stream, ResponseHead.http(status), endStream: body == nil)
      if let body {
        session?.send(call.stream, body)
        session?.finish(call.stream)
      }
      if !call.isEnded { call.skipsUntil = .now + server.limits.skippedBodyTime }
      transport?.setNeedsFlush()
      end(call, .runtime(.internalError, "HTTP status \(status)"))
    }
  }

  /// Resets a refused call whose client sends much or for long.
  ///
  /// A short rest is taken and dropped before: many clients of other protocols read no answer until
  /// they have sent everything, and what they do wrong meanwhile is not excused by a reset of ours.
  func cutOff(_ call: ServerCall) {
    call.skipsUntil = nil
    session?.reset(call.stream, .noError)
    transport?.setNeedsFlush()
  }

  /// After an early answer the rest of the request is of no use (RFC 9113 §8.1).
  private func stopReceiving(_ call: ServerCall, in session: HTTP2Session) {
    call.stream.resetsAfterEnd = !call.isEnded
    if call.unconsumed > 0 {
      session.consume(call.stream, call.unconsumed)
      call.unconsumed = 0
    }
    transport?.setNeedsFlush()
  }

  /// The client reset the call, or the connection is lost.
  private func abandon(_ call: ServerCall) {
    guard call.state != .finished else { return }
    end(call, .runtime(.cancelled, "the client cancelled the call"))
    call.task?.cancel()
  }

  /// The one place where a call ends.
  private func end(_ call: ServerCall, _ error: ServiceError?) {
    guard call.state != .finished else { return }
    call.state = .finished
    call.deadlineTimer?.cancel()
    if !call.messages.isEmpty { call.messages = MessageQueue() }
    call.wakeAll()
    if !server.interceptors.isEmpty, let context = call.context {
      let duration = call.started.duration(to: .now)
      for interceptor in server.interceptors {
        interceptor.callDidEnd(context, error: error, duration: duration)
      }
    }
  }

  // MARK: Deadlines

  /// At the end of the turn, also while the peer reads nothing.
  func flush() {
    for call in unarmed where call.state == .running {
      guard let deadline = call.context?.deadline else { continue }
      call.deadlineTimer = loop.schedule(after: MonotonicInstant.now.duration(to: deadline)) {
        [self] in
        fail(call, .runtime(.deadlineExceeded, "the deadline has passed"))
        transport?.setNeedsFlush()
      }
    }
    unarmed.removeAll(keepingCapacity: true)
  }
}
