import Testing

@testable import RPC

private let policy = RetryPolicy(
  maxAttempts: 4,
  initialBackoff: .milliseconds(100),
  maxBackoff: .milliseconds(300),
  backoffMultiplier: 2,
  retryableStatusCodes: [.unavailable, .aborted]
)

/// One call's retry state with its channel's throttle.
private struct Call {
  var state = RetryState()
  var throttle = RetryThrottle(.standard)
  var policy: RetryPolicy? = RPCTests.policy

  mutating func fails(
    _ code: StatusCode = .unavailable,
    _ progress: CallProgress = .sent,
    isCommitted: Bool = false,
    pushback: String? = nil,
    remaining: Duration = .seconds(10),
    random: Double = 0.5
  ) -> RetryState.Decision {
    state.failed(
      AttemptFailure(
        code: code,
        progress: progress,
        isCommitted: isCommitted,
        pushback: RetryPushback(pushback)
      ),
      policy: policy,
      throttle: &throttle,
      remaining: remaining,
      random: random
    )
  }
}

@Suite("Retry rules") struct RetryRulesTests {
  @Test("Attempts are made after growing pauses until there have been enough")
  func attempts() {
    var call = Call()
    let decisions = (0..<4).map { _ in call.fails() }
    #expect(
      decisions == [
        .retry(after: .milliseconds(100)), .retry(after: .milliseconds(200)),
        .retry(after: .milliseconds(300)), .giveUp(.attempts),
      ]
    )
    #expect(call.state.previousAttempts == 3)
  }

  @Test("Jitter moves a pause by at most a fifth", arguments: [(0.0, 80), (1.0, 120)])
  func jitter(random: Double, milliseconds: Int) {
    var call = Call()
    let decision = call.fails(random: random)
    guard case .retry(let pause) = decision else {
      Issue.record("\(decision)")
      return
    }
    #expect(abs((pause - .milliseconds(milliseconds)) / .milliseconds(1)) < 0.001)
  }

  @Test("Only codes of the policy are retried, and only where there is a policy")
  func codes() {
    var call = Call()
    let other = call.fails(.internalError)
    #expect(other == .giveUp(nil))
    var plain = Call()
    plain.policy = nil
    let none = plain.fails()
    #expect(none == .giveUp(nil))
  }

  @Test("A call whose reply has begun is not repeated, whatever else holds")
  func committed() {
    var call = Call()
    let sent = call.fails(isCommitted: true)
    #expect(sent == .giveUp(.committed))
    let unsent = call.fails(.unavailable, .unsent, isCommitted: true)
    #expect(unsent == .giveUp(.committed))
  }

  @Test("No retry begins behind the deadline")
  func deadline() {
    var call = Call()
    let late = call.fails(remaining: .milliseconds(100))
    #expect(late == .giveUp(.deadline))
    var over = Call()
    let unsent = over.fails(.unavailable, .unsent, remaining: .zero)
    #expect(unsent == .giveUp(.deadline))
  }

  @Test("What never left is sent again for nothing, as often as it takes")
  func unsent() {
    var call = Call()
    call.policy = nil
    let decisions = (0..<20).map { _ in call.fails(.unavailable, .unsent) }
    #expect(decisions.allSatisfy { $0 == .repeatAttempt })
    #expect(call.state.previousAttempts == 0)
    #expect(call.throttle.allowsAttempt)
  }

  @Test("What the peer refused is sent again once for nothing, then by the policy")
  func refused() {
    var call = Call()
    let decisions = (0..<2).map { _ in call.fails(.unavailable, .refused) }
    #expect(decisions == [.repeatAttempt, .retry(after: .milliseconds(100))])
  }

  @Test("The server's pause counts, and begins the backoff anew")
  func pushback() {
    var call = Call()
    _ = call.fails()
    let asked = call.fails(pushback: "700")
    #expect(asked == .retry(after: .milliseconds(700)))
    let next = call.fails()
    #expect(next == .retry(after: .milliseconds(100)))
  }

  @Test("A server can forbid retries", arguments: ["-1", "soon", "", "99999999999"])
  func pushbackStops(text: String) {
    var call = Call()
    let decision = call.fails(pushback: text)
    #expect(decision == .giveUp(.pushback))
  }

  @Test("Half the tokens lost, no retry goes out until successes have brought them back")
  func throttled() {
    var call = Call()
    for _ in 0..<4 { call.throttle.failed() }
    // The failure itself takes the fifth of ten tokens.
    let decision = call.fails()
    #expect(decision == .giveUp(.throttled))
    for _ in 0..<11 { call.throttle.succeeded() }
    let later = call.fails()
    #expect(later == .retry(after: .milliseconds(100)))
  }

  @Test("In the long run retries are at most a tenth of the calls that succeed")
  func budget() {
    var throttle = RetryThrottle(.standard)
    var successes = 0
    var retries = 0
    // Every call fails once and is well when it is sent again.
    for _ in 0..<10_000 {
      var state = RetryState()
      let decision = state.failed(
        AttemptFailure(code: .unavailable),
        policy: policy,
        throttle: &throttle,
        remaining: .seconds(10),
        random: 0.5
      )
      guard decision != .giveUp(.throttled) else { continue }
      retries += 1
      successes += 1
      throttle.succeeded()
    }
    // A full bucket allows five at first; then there are no successes left to pay for more.
    #expect(retries <= 6)
    // One call in twenty fails: the budget is enough for all of them.
    var given = 0
    for index in 0..<10_000 {
      throttle.succeeded()
      guard index > 100, index % 20 == 0 else { continue }
      var state = RetryState()
      let decision = state.failed(
        AttemptFailure(code: .unavailable),
        policy: policy,
        throttle: &throttle,
        remaining: .seconds(10),
        random: 0.5
      )
      if decision != .giveUp(.throttled) { given += 1 }
    }
    #expect(given == 494)
    #expect(successes == retries)
  }

  @Test("A policy never asks for more than five attempts")
  func attemptLimit() {
    let greedy = RetryPolicy(
      maxAttempts: 50,
      initialBackoff: .seconds(1),
      maxBackoff: .seconds(1),
      backoffMultiplier: 1,
      retryableStatusCodes: []
    )
    #expect(greedy.maxAttempts == 5)
  }
}

@Suite("Hedging rules") struct HedgingRulesTests {
  private let policy = HedgingPolicy(
    maxAttempts: 3,
    hedgingDelay: .milliseconds(50),
    nonFatalStatusCodes: [.unavailable]
  )

  @Test("A further attempt goes out after each pause, up to the most")
  func pauses() {
    var state = HedgingState(policy)
    let throttle = RetryThrottle(.standard)
    let decisions = (0..<3).map { _ in state.timerFired(throttle) }
    let send = HedgingState.Decision.send(thenWait: .milliseconds(50))
    #expect(decisions == [send, send, .none(nil)])
    #expect(state.previousAttempts == 2)
  }

  @Test("A failure that is not fatal sends the next attempt at once; a fatal one ends the call")
  func failures() {
    var state = HedgingState(policy)
    var throttle = RetryThrottle(.standard)
    let next = state.failed(AttemptFailure(code: .unavailable), &throttle)
    #expect(next == .send(thenWait: .milliseconds(50)))
    let fatal = state.failed(AttemptFailure(code: .notFound), &throttle)
    #expect(fatal == .finish(nil))
  }

  @Test("The last failure ends the call, those before it do not while others are under way")
  func last() {
    var state = HedgingState(policy)
    var throttle = RetryThrottle(.standard)
    _ = state.timerFired(throttle)
    _ = state.timerFired(throttle)
    let failure = AttemptFailure(code: .unavailable)
    let decisions = (0..<3).map { _ in state.failed(failure, &throttle) }
    #expect(decisions == [.none(nil), .none(nil), .finish(.attempts)])
  }

  @Test("The server can put hedges off, or forbid them")
  func pushback() {
    var state = HedgingState(policy)
    var throttle = RetryThrottle(.standard)
    _ = state.timerFired(throttle)
    var failure = AttemptFailure(code: .unavailable, pushback: .after(.seconds(1)))
    let later = state.failed(failure, &throttle)
    #expect(later == .wait(.seconds(1)))
    failure.pushback = .stop
    let stopped = state.failed(failure, &throttle)
    #expect(stopped == .finish(.pushback))
    let timer = state.timerFired(throttle)
    #expect(timer == .none(.pushback))
  }

  @Test("A throttled channel sends no hedges")
  func throttled() {
    var state = HedgingState(policy)
    var throttle = RetryThrottle(.standard)
    for _ in 0..<5 { throttle.failed() }
    let decision = state.timerFired(throttle)
    #expect(decision == .none(.throttled))
  }
}
