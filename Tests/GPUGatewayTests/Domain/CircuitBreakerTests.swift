import Testing

@testable import GPUGateway

@Suite("Circuit breaker") struct CircuitBreakerTests {
  private let start = ContinuousClock.now

  private func broken() -> CircuitBreaker {
    var breaker = CircuitBreaker()
    for second in 0..<5 { breaker.failed(at: start + .seconds(second)) }
    return breaker
  }

  @Test("Five failures within ten seconds open it, four do not")
  func opens() {
    var breaker = CircuitBreaker()
    for second in 0..<4 { breaker.failed(at: start + .seconds(second)) }
    let answer1 = breaker.admits(at: start + .seconds(4))
    #expect(answer1)
    breaker.failed(at: start + .seconds(4))
    let answer2 = breaker.admits(at: start + .seconds(5))
    #expect(!answer2)
    #expect(!breaker.isClosed)
    #expect(breaker.consecutiveFailures == 5)
  }

  @Test("Failures that are far apart do not open it")
  func window() {
    var breaker = CircuitBreaker()
    for index in 0..<20 { breaker.failed(at: start + .seconds(index * 3)) }
    #expect(breaker.isClosed)
  }

  @Test("After ten seconds one piece of work is let through, and its success closes it")
  func halfOpen() {
    var breaker = broken()
    let answer3 = breaker.admits(at: start + .seconds(13))
    #expect(!answer3)
    let answer4 = breaker.admits(at: start + .seconds(14))
    #expect(answer4)
    let answer5 = breaker.admits(at: start + .seconds(14))
    #expect(!answer5)
    breaker.succeeded()
    let answer6 = breaker.admits(at: start + .seconds(14))
    #expect(answer6)
    #expect(breaker.consecutiveFailures == 0)
  }

  @Test("A failure while half open opens it again")
  func reopens() {
    var breaker = broken()
    let answer7 = breaker.admits(at: start + .seconds(14))
    #expect(answer7)
    breaker.failed(at: start + .seconds(15))
    let answer8 = breaker.admits(at: start + .seconds(24))
    #expect(!answer8)
    let answer9 = breaker.admits(at: start + .seconds(25))
    #expect(answer9)
  }

  @Test("Work that tells nothing does not keep it half open for ever")
  func abandoned() {
    var breaker = broken()
    let answer10 = breaker.admits(at: start + .seconds(14))
    #expect(answer10)
    breaker.abandoned()
    let answer11 = breaker.admits(at: start + .seconds(14))
    #expect(answer11)
  }
}
