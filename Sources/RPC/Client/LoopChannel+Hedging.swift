internal import EventLoop

extension LoopChannel {
  private enum HedgingEvent: Sendable {
    case ended(UnaryAttempt)
    /// The pause of this number is over.
    case timer(Int)
  }

  /// Sends a call several times, a pause apart; the first good or fatal end counts, the others are
  /// cancelled.
  func hedged(
    _ request: CallRequest,
    _ frame: [UInt8],
    _ policy: HedgingPolicy
  ) async throws(ServiceError) -> RPCReply {
    let result = await withTaskGroup(
      of: HedgingEvent.self,
      returning: Result<RPCReply, ServiceError>.self
    ) { group in
      var state = HedgingState(policy)
      /// Only the last pause counts.
      var pauses = 0
      var last = Result<RPCReply, ServiceError>.failure(.runtime(.cancelled, "not sent"))
      send(request, frame, .first, previousAttempts: 0, in: &group)
      startPause(policy.hedgingDelay, pauses, in: &group)
      for await event in group {
        let decision: HedgingState.Decision
        switch event {
        case .timer(let number):
          decision = number == pauses ? state.timerFired(throttle) : .none(nil)
        case .ended(let attempt):
          last = attempt.result
          guard let failure = attempt.failure else {
            if case .success = last { throttle.succeeded() }
            group.cancelAll()
            return last
          }
          decision = state.failed(failure, &throttle)
        }
        switch decision {
        case .finish(let reason):
          if let reason { countWithheld(reason, request.method) }
          group.cancelAll()
          return last
        case .send(let pause):
          send(request, frame, .hedge, previousAttempts: state.previousAttempts, in: &group)
          pauses += 1
          startPause(pause, pauses, in: &group)
        case .wait(let pause):
          pauses += 1
          startPause(pause, pauses, in: &group)
        case .none(let reason): if let reason { countWithheld(reason, request.method) }
        }
      }
      return last
    }
    return try result.get()
  }

  private func send(
    _ request: CallRequest,
    _ frame: [UInt8],
    _ kind: AttemptKind,
    previousAttempts: Int,
    in group: inout TaskGroup<HedgingEvent>
  ) {
    group.addTask { [self] in
      .ended(await attempt(request, frame, kind, previousAttempts: previousAttempts))
    }
  }

  private func startPause(
    _ pause: Duration,
    _ number: Int,
    in group: inout TaskGroup<HedgingEvent>
  ) {
    group.addTask {
      try? await Task.sleep(for: pause)
      return .timer(number)
    }
  }
}
