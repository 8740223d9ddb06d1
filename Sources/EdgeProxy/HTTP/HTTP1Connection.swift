internal import EventLoop
internal import HTTP1
internal import HTTP2
internal import HTTPCore
internal import Net

/// One HTTP/1.1 connection: takes requests one after the other and writes their answers.
///
///     waiting for a head → taking the body → (answer under way) → waiting for a head …
///
/// The next head is read when the request and its answer are both complete; what a client sends
/// earlier (pipelining) waits in `backlog`, and beyond `pipelineBytes` in the kernel; it waits, too,
/// while the client leaves more than `sendBufferBytes` of answers unread. An answer that comes before the end of the body closes
/// the connection.
actor HTTP1Connection {
  /// What happens to the body of the current request.
  private enum Mode {
    /// There is no request.
    case none
    case collect(AdmittedRequest)
    case stream
    /// It was answered already; the rest is skipped.
    case discard
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let shard: EdgeShard
  private let transport: Transport
  private let limits: EdgeLimits
  private let parser = HTTP1RequestParser()
  private var writer = HTTP1ResponseWriter()
  private var output: [UInt8] = []
  private var backlog: [UInt8] = []

  private var mode = Mode.none
  private var exchange = HTTP1Exchange()
  private var body: [UInt8] = []
  private var queue = BodyQueue()
  private var pace = BodyPace()
  private let times: HTTP2TimeLimits
  private var watch = BodyWatch()
  /// A request has come.
  private var isUsed = false
  private var isEndReported = false
  private var isRequestComplete = false
  private var isAnswerComplete = false
  private var isAnswerBegun = false
  private var isParsing = false
  private var isReadPaused = false
  private var isClosing = false
  /// The next answer says that the connection ends.
  private var isDraining = false
  /// The connection ends behind an answer that did not say so, too.
  private var endsWhenIdle = false
  private var isGone = false
  private var task: Task<Void, Never>?
  /// Producers that wait until the client has taken what is queued.
  private var producers: [CheckedContinuation<Void, Never>] = []
  /// When the connection ends unless something happens; nil while a handler works.
  private var deadline: MonotonicInstant?

  init(transport: Transport, shard: EdgeShard) {
    loop = transport.loop
    self.transport = transport
    self.shard = shard
    limits = shard.limits
    times = limits.http2.times
    deadline = .now + limits.headTime
  }

  // MARK: From the transport

  /// Takes bytes from the client.
  nonisolated func receive(_ bytes: UnsafeRawBufferPointer) {
    // The bytes are used before the call returns.
    nonisolated(unsafe) let bytes = bytes
    assumeIsolated { $0.take(bytes) }
  }

  /// The client sends no more: what it asked for is still answered.
  nonisolated func receiveEOF() {
    assumeIsolated { $0.endInput() }
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

  /// Ends the connection with its next answer, which says so.
  ///
  /// An idle one stays open for the request that may be on its way: to close it now would lose that.
  nonisolated func drain() {
    assumeIsolated { $0.isDraining = true }
  }

  /// Ends the connection now, or when its request is answered.
  nonisolated func endWhenIdle() {
    assumeIsolated { connection in
      connection.isDraining = true
      connection.endsWhenIdle = true
      if case .none = connection.mode, connection.parser.isIdle { connection.close() }
    }
  }

  /// Ends the connection at once.
  nonisolated func cut() { transport.close() }

  private func take(_ bytes: UnsafeRawBufferPointer) {
    guard backlog.isEmpty, !mustWait else {
      backlog.append(contentsOf: bytes)
      if backlog.count > limits.pipelineBytes { pauseReading() }
      parseBacklog()
      return
    }
    var rest = bytes
    parse(&rest)
    backlog.append(contentsOf: rest)
    if backlog.count > limits.pipelineBytes { pauseReading() }
  }

  private func parseBacklog() {
    guard !isParsing, !mustWait, !backlog.isEmpty else { return }
    let input = backlog
    backlog = []
    input.withUnsafeBytes { bytes in
      var rest = bytes
      parse(&rest)
      backlog.append(contentsOf: rest)
    }
  }

  /// The request is complete but its answer is not, the client reads nothing, or the connection ends.
  private var mustWait: Bool { isClosing || isRequestComplete || isOutputFull }

  private var isOutputFull: Bool { output.count > limits.sendBufferBytes }

  private func parse(_ input: inout UnsafeRawBufferPointer) {
    isParsing = true
    defer { isParsing = false }
    while !mustWait {
      switch parser.next(&input) {
      case .needMoreBytes: return
      case .head(let head, let exchange): begin(head, exchange)
      case .body(let bytes): takeBody(bytes)
      case .end: completeRequest()
      case .failure(let failure): refuse(failure)
      }
    }
  }

  private func endInput() {
    if case .none = mode { return close() }
    // An answer that never ends by itself has lost its reader.
    if isAnswerBegun { return transport.close() }
    if !isRequestComplete { return transport.close() }
    isDraining = true
    endsWhenIdle = true
  }

  private func flush(into buffer: inout OutputBuffer) {
    guard !output.isEmpty else { return }
    // The buffer is the transport's: what follows from the room comes after its turn.
    if isOutputFull { loop.submit { [self] in assumeIsolated { $0.goOn() } } }
    buffer.append(output)
    output.removeAll(keepingCapacity: output.capacity <= limits.sendBufferBytes)
    resumeProducers()
  }

  /// Takes the next requests when the client has read enough.
  private func goOn() {
    guard !isClosing, !isOutputFull else { return }
    if case .none = mode { deadline = .now + limits.headTime }
    parseBacklog()
    resumeReading()
  }

  private func resumeProducers() {
    let waiting = producers
    producers = []
    for producer in waiting { producer.resume() }
  }

  private func lose(_ error: NetError?) {
    if let end = ConnectionLoss(error) { report(end.kind, end.reason) }
    isGone = true
    isClosing = true
    queue.fail(CancellationError())
    resumeProducers()
    task?.cancel()
    task = nil
    shard.forget(self)
  }

  private func close() {
    isClosing = true
    transport.closeAfterFlush()
  }

  private func pauseReading() {
    guard !isReadPaused else { return }
    isReadPaused = true
    transport.pauseReading()
  }

  private func resumeReading() {
    guard isReadPaused, !isOutputFull, backlog.count <= limits.pipelineBytes else { return }
    isReadPaused = false
    transport.resumeReading()
  }

  // MARK: Requests

  private func begin(_ head: HTTPRequestHead, _ exchange: HTTP1Exchange) {
    self.exchange = exchange
    isUsed = true
    isAnswerBegun = false
    isAnswerComplete = false
    let info = ConnectionInfo(peer: transport.peerAddress, isSecure: transport.isSecure)
    switch shard.admit(head, from: info) {
    case .answer(let response):
      mode = .discard
      send(response)
    case .collect(let request, let limit):
      parser.limitBody(to: limit)
      mode = .collect(request)
      deadline = .now + limits.bodyTime
      reserveBody(limit)
      askForBody()
    case .stream(let request, let limit):
      parser.limitBody(to: limit)
      mode = .stream
      queue = BodyQueue()
      pace = BodyPace()
      deadline = .now + limits.bodyPause
      askForBody()
      start(request, [])
    }
  }

  private func reserveBody(_ limit: Int) {
    guard case .length(let count) = exchange.body, count <= limit else { return }
    body.reserveCapacity(count + EdgeShard.bodyPadding)
  }

  private func askForBody() {
    guard exchange.expectsContinue else { return }
    writer.appendContinue(to: &output)
    transport.setNeedsFlush()
  }

  private func takeBody(_ bytes: UnsafeRawBufferPointer) {
    switch mode {
    case .collect: body.append(contentsOf: bytes)
    case .stream:
      queue.append(Array(bytes))
      pace.count(bytes.count)
      deadline = .now + limits.bodyPause
      if queue.waiting > limits.uploadBufferBytes { pauseReading() }
    case .none, .discard: break
    }
  }

  private func completeRequest() {
    isRequestComplete = true
    deadline = nil
    switch mode {
    case .collect(let request):
      let complete = body
      body = []
      start(request, complete)
    case .stream: queue.finish()
    case .none, .discard: break
    }
    finishExchange()
  }

  private func start(_ request: AdmittedRequest, _ body: [UInt8]) {
    let shard = shard
    task = Task(executorPreference: loop) { [self] in
      await shard.serve(request, body, for: .http1(self))
    }
  }

  /// The request breaks a rule of the protocol or its limit: answer, then close.
  private func refuse(_ failure: HTTP1Failure) {
    shard.countFailure(failure.reason.rawValue)
    isRequestComplete = true
    let problem = Problem(protocolFailure: failure.status, "\(failure.reason)")
    fail(problem)
  }

  /// Ends the connection with a problem: told by the handler that reads the body, or by us.
  private func fail(_ problem: Problem) {
    isClosing = true
    exchange.keepAlive = false
    queue.fail(problem)
    if isAnswerBegun { return transport.close() }
    if case .stream = mode { return }
    send(shard.answer(to: problem))
  }

  // MARK: Answers

  /// Sends a whole answer.
  func respond(_ response: EdgeResponse) {
    send(response)
  }

  private func send(_ response: EdgeResponse) {
    guard !isGone, !isAnswerBegun else { return }
    startAnswer(response.head, .length(response.body.count), closes: response.closesConnection)
    if !response.body.isEmpty { writer.appendBody(response.body, to: &output) }
    completeAnswer()
  }

  private func startAnswer(_ head: HTTPResponseHead, _ body: HTTP1ResponseBody, closes: Bool) {
    isAnswerBegun = true
    let isBodyUnread = !isRequestComplete && exchange.body != .none
    writer.appendHead(
      head,
      for: exchange,
      body: body,
      unixSeconds: shard.unixSeconds,
      close: closes || isBodyUnread || isDraining,
      to: &output
    )
  }

  /// Starts an answer whose body follows.
  func begin(_ head: HTTPResponseHead, length: Int?) {
    guard !isGone, !isAnswerBegun else { return }
    startAnswer(head, length.map(HTTP1ResponseBody.length) ?? .stream, closes: false)
    transport.setNeedsFlush()
  }

  /// Sends a piece of the body; false when the client has gone.
  func write(_ bytes: [UInt8]) async -> Bool {
    guard !isGone, isAnswerBegun, !isAnswerComplete else { return false }
    writer.appendBody(bytes, to: &output)
    transport.setNeedsFlush()
    if output.count > limits.sendBufferBytes {
      await withCheckedContinuation { producers.append($0) }
    }
    return !isGone
  }

  /// Ends the body.
  func end() {
    guard !isGone, isAnswerBegun else { return }
    completeAnswer()
  }

  /// Breaks the answer off.
  func abort() {
    writer.abort()
    transport.close()
  }

  private func completeAnswer() {
    guard !isAnswerComplete else { return }
    writer.appendEnd(to: &output)
    isAnswerComplete = true
    transport.setNeedsFlush()
    finishExchange()
  }

  private func finishExchange() {
    guard isAnswerComplete else { return }
    guard writer.keepAlive, !isClosing else { return close() }
    guard isRequestComplete else { return }
    mode = .none
    task = nil
    isRequestComplete = false
    isAnswerBegun = false
    isAnswerComplete = false
    deadline = .now + (backlog.isEmpty ? limits.idleTime : limits.headTime)
    if endsWhenIdle { return close() }
    parseBacklog()
    resumeReading()
  }

  /// The next piece of a streamed body; nil at its end.
  func read() async throws -> [UInt8]? {
    if let piece = try queue.take() {
      if queue.waiting <= limits.uploadBufferBytes / 2 { resumeReading() }
      return piece
    }
    if queue.isComplete { return nil }
    resumeReading()
    return try await withCheckedThrowingContinuation { queue.wait($0) }
  }

  // MARK: Time

  private func checkTime(_ now: MonotonicInstant) {
    // While the client reads nothing the transport keeps the time.
    guard !isClosing, !isOutputFull else { return }
    if case .stream = mode, !isRequestComplete, !isReadPaused,
      pace.isTooSlow(now, limits)
    {
      return giveUp()
    }
    if case .collect = mode,
      watch.isLate(at: now, received: body.count, isOwed: !isRequestComplete, times)
    {
      return giveUp()
    }
    if case .none = mode, !parser.isIdle, let end = deadline {
      // A head has begun: it must end soon.
      deadline = min(end, now + limits.headTime)
    }
    guard let deadline, now >= deadline else { return }
    giveUp()
  }

  private func giveUp() {
    if case .none = mode {
      guard !parser.isIdle else {
        report(isUsed ? .idle : .preface, "nothing was asked for")
        return close()
      }
      exchange = HTTP1Exchange()
      report(.headers, "the head does not end")
    } else {
      report("slow_body", "the body does not come")
    }
    shard.countFailure("tooSlow")
    fail(Problem(protocolFailure: 408, "tooSlow"))
  }

  private func report(_ timeout: HTTP2Timeout, _ reason: String) {
    report(timeout.rawValue, reason)
  }

  /// One report a connection, whatever else goes wrong with it.
  private func report(_ kind: String, _ reason: String) {
    guard !isEndReported else { return }
    isEndReported = true
    shard.connectionEnded(kind, reason, transport.peerAddress)
  }
}
