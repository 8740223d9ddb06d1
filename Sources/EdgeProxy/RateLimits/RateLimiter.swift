internal import Foundation
internal import Logging
internal import Metrics
internal import Redis

/// Decides requests: in Redis by one script, in this process while Redis does not answer.
final class RateLimiter: Sendable {
  private let redis: RedisClient
  private let script = RedisScript(RateScript.source)
  private let local: LocalLimiter
  private let logger: Logger
  private let fallbacks = Counter(label: "edge_rate_limit_fallback_total")
  private let started = ContinuousClock.now
  private let outage = OutageLog()

  init(redis: RedisClient, local: LocalLimiter = LocalLimiter(), logger: Logger) {
    self.redis = redis
    self.local = local
    self.logger = logger
  }

  /// Decides one request.
  ///
  /// - Parameters:
  ///   - buckets: Everything that limits the request.
  ///   - session: The session whose end would end the request.
  ///   - refusesWithoutRedis: What to do while Redis is away.
  /// - Returns: Whether the request may pass, and what is left of each limit.
  /// - Throws: ``Problem`` 503 when Redis is away and the policy does not do without.
  func decide(
    _ buckets: [RateBucket],
    session: String?,
    refusesWithoutRedis: Bool
  ) async throws(Problem) -> RateDecision {
    if buckets.isEmpty, session == nil { return RateDecision(isAllowed: true, states: []) }
    do {
      let reply = try await ask(buckets, session)
      if let decision = RateScript.decision(reply, for: buckets) {
        outage.end()
        return decision
      }
      noteOutage("the script answered \(reply.count) numbers")
    } catch {
      noteOutage("\(error)")
    }
    guard !refusesWithoutRedis else {
      var problem = Problem("UNAVAILABLE", "Try again in a moment.")
      problem.retryAfter = .seconds(1)
      throw problem
    }
    let elapsed = started.duration(to: .now).components
    let now = elapsed.seconds * 1_000_000 + elapsed.attoseconds / 1_000_000_000_000
    return local.decide(buckets, at: now)
  }

  private func ask(_ buckets: [RateBucket], _ session: String?) async throws -> [Int] {
    var keys = [RateScript.revocationKey(session: session ?? "-")]
    var arguments: [Int] = []
    keys.reserveCapacity(buckets.count + 1)
    arguments.reserveCapacity(buckets.count * 2)
    for bucket in buckets {
      keys.append(bucket.key)
      arguments.append(bucket.window.limit)
      arguments.append(bucket.window.seconds)
    }
    return try await redis.run(script, keys: keys, arguments: arguments).integers
  }

  /// Counts every request that is decided without Redis, and says so in the log once in a while.
  private func noteOutage(_ reason: String) {
    fallbacks.increment()
    guard outage.shouldLog() else { return }
    logger.warning("rate limits are kept locally", metadata: ["reason": "\(reason)"])
  }
}
