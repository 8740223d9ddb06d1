internal import EventLoop
internal import Foundation
internal import HTTPCore
internal import RPC

/// One server stream on its way to a client.
///
///     opened → (head sent) → messages … → ended by the service, the client, the token or the drain
///
/// The head waits a moment for the first message, so that an early error is a status of its own.
actor EventStream {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let route: Route
  private let request: AdmittedRequest
  private let client: Client
  private let base: HTTPHeaders
  private let shard: EdgeShard
  private let format: EventFormat
  private var call: RawClientStream?
  private var headTimer: LoopTimer?
  private var didBegin = false
  /// Ended by us, for the token's time or the drain: the client comes again.
  private var isStopped = false
  private var lastWrite = MonotonicInstant.now

  init(
    _ route: Route,
    _ request: AdmittedRequest,
    _ client: Client,
    base: HTTPHeaders,
    shard: EdgeShard
  ) {
    loop = shard.loop
    self.route = route
    self.request = request
    self.client = client
    self.base = base
    self.shard = shard
    format = EventFormat(route.policy.stream, request.head.headers)
  }

  /// Runs the stream to its end.
  ///
  /// - Returns: The status that was answered.
  /// - Throws: ``Problem`` when it fails before anything was sent.
  func run(
    _ message: [UInt8],
    _ options: CallOptions,
    token: VerifiedToken?
  ) async throws -> HTTPStatus {
    await shard.register(self)
    headTimer = loop.schedule(after: shard.limits.firstEventTime) { [weak self] in
      self?.assumeIsolated { $0.beginSoon() }
    }
    let result = await forward(message, bounded(options, by: token))
    headTimer?.cancel()
    await shard.unregister(self)
    if case .failure(let error) = result, !isStopped, !Task.isCancelled {
      let problem = Problem(error)
      guard didBegin else { throw problem }
      await sendFailure(problem)
    }
    return await finish(isResumed: options.metadata.contains { $0.name == "last-event-id" })
  }

  /// Ends with what the client needs to know: after a resume at the last event there is nothing
  /// more to come, which 204 says to a browser.
  private func finish(isResumed: Bool) async -> HTTPStatus {
    if !didBegin, isResumed, !isStopped, !Task.isCancelled {
      await client.respond(EdgeResponse(204, base))
      return 204
    }
    await begin()
    await client.end()
    return 200
  }

  private func bounded(_ options: CallOptions, by token: VerifiedToken?) -> CallOptions {
    guard let token else { return options }
    let now = shard.core.clock.now()
    let life = token.expires.timeIntervalSince(now)
    let timeout = Duration.milliseconds(route.method.defaultTimeoutMilliseconds)
    let isLimitedByToken = timeout == .zero || .seconds(life) < timeout
    return isLimitedByToken ? options.within(.seconds(life)) : options
  }

  private func forward(
    _ message: [UInt8],
    _ options: CallOptions
  ) async -> Result<Void, ServiceError> {
    do {
      let call = try await route.channel.openStream(route.method, options: options)
      self.call = call
      try await call.send(message)
      await call.finishSending()
      let transcoder = Transcoder(schema: shard.core.schema)
      for try await reply in call {
        let event = try encode(reply, transcoder)
        await begin()
        guard await write(event) else {
          await call.cancel()
          break
        }
      }
      return .success(())
    } catch let problem as Problem {
      await call?.cancel()
      return .failure(
        ServiceError(code: .internalError, reason: problem.reason, message: problem.detail)
      )
    } catch {
      let failure = ServiceError.wrapping(error)
      // The client's or our own time is over; it may come again with a fresh token.
      if didBegin, failure.code == .deadlineExceeded { isStopped = true }
      return .failure(failure)
    }
  }

  private func encode(_ reply: [UInt8], _ transcoder: Transcoder) throws(Problem) -> [UInt8] {
    let json = try transcoder.json(reply, route)
    return format.message(
      json,
      id: transcoder.text(of: route.eventID, in: reply, route),
      name: transcoder.text(of: route.eventName, in: reply, route)
    )
  }

  // MARK: Sending

  private func begin() async {
    guard !didBegin else { return }
    didBegin = true
    headTimer?.cancel()
    var headers = base
    headers.append("content-type", format.contentType)
    headers.append("cache-control", "no-store")
    headers.append("x-accel-buffering", "no")
    await client.begin(HTTPResponseHead(status: 200, headers: headers))
    if !format.opening.isEmpty { _ = await write(format.opening) }
  }

  private func beginSoon() {
    Task(executorPreference: loop) { await self.begin() }
  }

  private func write(_ bytes: [UInt8]) async -> Bool {
    lastWrite = .now
    return await client.write(bytes)
  }

  private func sendFailure(_ problem: Problem) async {
    let body = problem.body(
      requestID: request.context.identity.requestID,
      documentation: shard.core.documentation
    )
    _ = await write(format.failure(body))
  }

  // MARK: From the shard

  /// Looks at the clock, about once a second.
  nonisolated func tick(_ now: MonotonicInstant) {
    assumeIsolated { stream in
      guard stream.didBegin, stream.lastWrite.duration(to: now) >= stream.shard.limits.heartbeat
      else { return }
      stream.lastWrite = now
      Task(executorPreference: stream.loop) {
        _ = await stream.client.write(stream.format.heartbeat)
      }
    }
  }

  /// Ends the stream, so that its client comes again, to another process.
  nonisolated func stop() {
    assumeIsolated { stream in
      stream.isStopped = true
      guard let call = stream.call else { return }
      Task(executorPreference: stream.loop) { await call.cancel() }
    }
  }
}
