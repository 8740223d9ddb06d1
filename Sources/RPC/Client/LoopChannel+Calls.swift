internal import EventLoop

/// One attempt of a unary call, ended.
struct UnaryAttempt: Sendable {
  let result: Result<RPCReply, ServiceError>
  /// What the retry rules need to know of a failure.
  let failure: AttemptFailure?
}

extension LoopChannel {
  /// Makes a unary call; `frame` is sealed, and every attempt sends the same memory.
  func unary(_ request: CallRequest, _ frame: [UInt8]) async throws(ServiceError) -> RPCReply {
    if case .hedging(let policy) = request.repetition {
      return try await hedged(request, frame, policy)
    }
    let mayKeep = frame.count <= configuration.maxReplayBytes
    var retry = RetryState()
    var kind = AttemptKind.first
    while true {
      let attempt = await attempt(request, frame, kind, previousAttempts: retry.previousAttempts)
      switch attempt.result {
      case .success(let reply):
        throttle.succeeded()
        return reply
      case .failure(let error):
        guard var failure = attempt.failure, !Task.isCancelled else { throw error }
        if !mayKeep { failure.isCommitted = true }
        switch decide(failure, &retry, request) {
        case .giveUp: throw error
        case .repeatAttempt: kind = .transparentRetry
        case .retry(let pause):
          kind = .retry
          try? await Task.sleep(for: pause)
          if Task.isCancelled { throw .runtime(.cancelled, "the call was cancelled") }
        }
      }
    }
  }

  /// What follows a failed attempt of a call that is not hedged.
  func decide(
    _ failure: AttemptFailure,
    _ retry: inout RetryState,
    _ request: CallRequest
  ) -> RetryState.Decision {
    let decision = retry.failed(
      failure,
      policy: request.retryPolicy,
      throttle: &throttle,
      remaining: MonotonicInstant.now.duration(to: request.deadline),
      random: configuration.random()
    )
    if case .giveUp(let reason?) = decision { countWithheld(reason, request.method) }
    return decision
  }

  /// Sends a unary call once and waits for its end.
  func attempt(
    _ request: CallRequest,
    _ frame: [UInt8],
    _ kind: AttemptKind,
    previousAttempts: Int
  ) async -> UnaryAttempt {
    do throws(ServiceError) {
      let (connection, call) = try await start(
        request,
        frame,
        kind,
        previousAttempts: previousAttempts
      )
      await end(of: call, on: connection)
      let result = connection.assumeTakeReply(call)
      guard case .failure(let error) = result else {
        return UnaryAttempt(result: result, failure: nil)
      }
      return UnaryAttempt(result: result, failure: AttemptFailure(of: call, error))
    } catch {
      // No connection: that is not the call's failure, and waiting is what `waitForReady` is for.
      return UnaryAttempt(result: .failure(error), failure: nil)
    }
  }

  /// Sends the head of a call on a connection that takes it, and for a unary call everything.
  func start(
    _ request: CallRequest,
    _ frame: [UInt8]?,
    _ kind: AttemptKind,
    previousAttempts: Int
  ) async throws(ServiceError) -> (ClientConnection, ClientCall) {
    while true {
      let connection = try await connection(
        deadline: request.deadline,
        waitForReady: request.options.waitForReady
      )
      let call = ClientCall(
        deadline: request.deadline,
        compression: request.options.compression,
        maxMessageBytes: request.maxResponseMessageBytes,
        maxBuffered: configuration.limits.maxBufferedMessages
      )
      let isStarted = connection.assumeStart(
        call,
        request,
        onlyMessage: frame,
        previousAttempts: previousAttempts
      )
      if isStarted {
        countStarted(kind, request.method)
        return (connection, call)
      }
    }
  }

  /// Returns when the call has ended; cancelling the task ends it.
  private func end(of call: ClientCall, on connection: ClientConnection) async {
    await withTaskCancellationHandler {
      await connection.waitForEnd(of: call)
    } onCancel: {
      connection.submitCancel(call, "the call was cancelled")
    }
  }
}

// `assumeIsolated` cannot be called in an asynchronous function.
extension ClientConnection {
  nonisolated func assumeStart(
    _ call: ClientCall,
    _ request: CallRequest,
    onlyMessage: [UInt8]?,
    previousAttempts: Int
  ) -> Bool {
    assumeIsolated {
      $0.start(
        call,
        request.method,
        request.options,
        onlyMessage: onlyMessage,
        previousAttempts: previousAttempts
      )
    }
  }

  /// Gives a call up from wherever its task was cancelled.
  nonisolated func submitCancel(_ call: ClientCall, _ message: String) {
    loop.submit { self.assumeIsolated { $0.cancel(call, .runtime(.cancelled, message)) } }
  }

  nonisolated func assumeTakeReply(_ call: ClientCall) -> Result<RPCReply, ServiceError> {
    assumeIsolated { $0.takeReply(call) }
  }
}

extension AttemptFailure {
  /// The failure of an attempt that has ended.
  init(of call: ClientCall, _ error: ServiceError) {
    code = error.code
    progress = call.progress
    isCommitted = call.hasResponse
    pushback = RetryPushback((call.trailers ?? call.headers)?.value(of: "grpc-retry-pushback-ms"))
  }
}
