internal import EventLoop

/// A call with streams over all of its attempts.
///
/// What was sent is kept until the reply begins, or until it is more than `maxReplayBytes`: then the call
/// is committed. An attempt that fails before is made good by whoever notices first, the reader or
/// the writer; the other waits.
actor ClientStream {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let channel: LoopChannel
  private let request: CallRequest
  private(set) var connection: ClientConnection
  private var call: ClientCall

  /// The frames to send again, by reference.
  private var sent: [[UInt8]] = []
  private var sentBytes = 0
  private var isSendingDone = false
  private var isCommitted = false
  private var isGivenUp = false
  private var retry = RetryState()
  private var isRecovering = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(
    _ channel: LoopChannel,
    _ request: CallRequest,
    connection: ClientConnection,
    call: ClientCall
  ) {
    self.channel = channel
    self.request = request
    self.connection = connection
    self.call = call
    loop = connection.loop
  }

  /// Sends one sealed frame; waits while the peer is slow.
  func send(_ frame: [UInt8]) async throws(ServiceError) {
    await recoveryEnd()
    keep(frame)
    let attempt = call
    do throws(ServiceError) {
      try await connection.send(frame, on: attempt)
    } catch {
      // The new attempt has been sent everything that was kept, this frame included.
      guard await recovered(attempt, error) else { throw error }
    }
  }

  /// Tells the peer that no more messages come.
  func finishSending() async {
    await recoveryEnd()
    isSendingDone = true
    await connection.finishSending(call)
  }

  /// The next message, nil after the last.
  func next() async throws(ServiceError) -> [UInt8]? {
    while true {
      let attempt = call
      do throws(ServiceError) {
        let message = try await connection.nextMessage(of: attempt)
        commit()
        return message
      } catch {
        guard await recovered(attempt, error) else { throw error }
      }
    }
  }

  /// The reply's headers, as soon as they are there.
  func headers() async throws(ServiceError) -> Metadata {
    while true {
      let attempt = call
      do throws(ServiceError) {
        return try await connection.headers(of: attempt)
      } catch {
        guard await recovered(attempt, error) else { throw error }
      }
    }
  }

  /// The metadata that came with the status.
  func trailers() async -> Metadata { await connection.trailers(of: call) }

  var wasCompressed: Bool { call.wasCompressed }

  /// Gives the call up; the peer is told.
  func cancel() {
    isGivenUp = true
    commit()
    let attempt = call
    connection.assumeIsolated {
      $0.cancel(attempt, .runtime(.cancelled, "the call was cancelled"))
    }
  }

  // MARK: Attempts

  private func keep(_ frame: [UInt8]) {
    guard !isCommitted else { return }
    sentBytes += frame.count
    if call.hasResponse || sentBytes > channel.configuration.maxReplayBytes { return commit() }
    sent.append(frame)
  }

  private func commit() {
    isCommitted = true
    sent = []
  }

  /// Whether the call goes on with another attempt.
  private func recovered(_ failed: ClientCall, _ error: ServiceError) async -> Bool {
    await recoveryEnd()
    // Somebody else has seen to it.
    guard failed === call else { return true }
    guard !isGivenUp, !Task.isCancelled else { return false }
    var failure = AttemptFailure(of: failed, error)
    failure.isCommitted = failure.isCommitted || isCommitted
    isRecovering = true
    defer {
      isRecovering = false
      let woken = waiting
      waiting = []
      for done in woken { done.resume() }
    }
    switch channel.assumeDecide(failure, &retry, request) {
    case .giveUp: return false
    case .repeatAttempt: return await startAgain(.transparentRetry)
    case .retry(let pause):
      try? await Task.sleep(for: pause)
      if isGivenUp || Task.isCancelled { return false }
      return await startAgain(.retry)
    }
  }

  /// Makes a new attempt and sends it what was kept.
  private func startAgain(_ kind: AttemptKind) async -> Bool {
    do throws(ServiceError) {
      (connection, call) = try await channel.start(
        request,
        nil,
        kind,
        previousAttempts: retry.previousAttempts
      )
    } catch {
      return false
    }
    if isGivenUp { cancel() }
    for frame in sent {
      // A failure is that of the new attempt: its reader or writer comes back here.
      do { try await connection.send(frame, on: call) } catch { return true }
    }
    if isSendingDone { await connection.finishSending(call) }
    return true
  }

  private func recoveryEnd() async {
    while isRecovering {
      await withCheckedContinuation { done in
        if isRecovering { waiting.append(done) } else { done.resume() }
      }
    }
  }
}

extension LoopChannel {
  /// Starts a call with streams.
  func openStream(_ request: CallRequest) async throws(ServiceError) -> ClientStream {
    let (connection, call) = try await start(request, nil, .first, previousAttempts: 0)
    return ClientStream(self, request, connection: connection, call: call)
  }

  nonisolated func assumeDecide(
    _ failure: AttemptFailure,
    _ retry: inout RetryState,
    _ request: CallRequest
  ) -> RetryState.Decision {
    var state = retry
    let decision = assumeIsolated { $0.decide(failure, &state, request) }
    retry = state
    return decision
  }
}
