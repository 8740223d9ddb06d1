internal import Synchronization

/// The configured providers in order of preference, with what is known of their health.
final class ProviderRegistry: Sendable {
  /// One provider's figures.
  struct Status: Sendable {
    let provider: any Provider
    let isHealthy: Bool
    let running: Int
    let consecutiveFailures: Int
    let checkDuration: Duration
  }

  private struct Health {
    var breaker = CircuitBreaker()
    var running = 0
    var checkDuration: Duration = .zero
    var isReachable = true
  }

  let providers: [any Provider]
  private let health: Mutex<[String: Health]>

  /// Knows `providers`, the preferred one first.
  init(_ providers: [any Provider]) {
    self.providers = providers
    health = Mutex(
      Dictionary(uniqueKeysWithValues: providers.map { ($0.name, Health()) })
    )
  }

  /// Providers that can run `pipeline`, those that failed the job before last.
  func candidates(for pipeline: Pipeline, avoiding failed: [String]) -> [any Provider] {
    let able = providers.filter { $0.pipelines.contains(pipeline) }
    return able.filter { !failed.contains($0.name) } + able.filter { failed.contains($0.name) }
  }

  /// Notes that a provider gets work; false when its breaker is open.
  func begin(_ provider: any Provider) -> Bool {
    health.withLock { health in
      guard health[provider.name]?.breaker.admits(at: .now) == true else { return false }
      health[provider.name]?.running += 1
      return true
    }
  }

  /// What came of a provider's work.
  enum Outcome: Sendable {
    case succeeded, failed, abandoned
  }

  /// Notes how a provider's work ended.
  func end(_ provider: any Provider, _ outcome: Outcome) {
    health.withLock { health in
      health[provider.name]?.running -= 1
      switch outcome {
      case .succeeded: health[provider.name]?.breaker.succeeded()
      case .failed: health[provider.name]?.breaker.failed(at: .now)
      case .abandoned: health[provider.name]?.breaker.abandoned()
      }
    }
  }

  /// Asks every provider whether it can take work, and returns what is known of each.
  func checkAll() async -> [Status] {
    await withTaskGroup(of: Void.self) { group in
      for provider in providers { group.addTask { await self.check(provider) } }
    }
    return statuses
  }

  /// What is known of each provider.
  var statuses: [Status] {
    let health = health.withLock { $0 }
    return providers.map { provider in
      let known = health[provider.name] ?? Health()
      return Status(
        provider: provider,
        isHealthy: known.isReachable && known.breaker.isClosed,
        running: known.running,
        consecutiveFailures: known.breaker.consecutiveFailures,
        checkDuration: known.checkDuration
      )
    }
  }

  private func check(_ provider: any Provider) async {
    let start = ContinuousClock.now
    let isReachable = (try? await provider.check()) != nil
    let duration = ContinuousClock.now - start
    health.withLock { health in
      health[provider.name]?.isReachable = isReachable
      health[provider.name]?.checkDuration = duration
    }
  }
}
