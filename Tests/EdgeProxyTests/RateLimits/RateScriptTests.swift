import EventLoop
import Foundation
import Logging
import Redis
import Testing

@testable import EdgeProxy

@Suite("Rate limits in Redis")
struct RateScriptTests {
  private func run(_ body: (RateLimiter, RedisClient, String) async throws -> Void) async throws {
    try await TestRedis.run { client in
      let limiter = RateLimiter(redis: client, logger: .quiet)
      try await body(limiter, client, UUID().uuidString)
    }
  }

  private func bucket(_ key: String, _ limit: Int, _ seconds: Int) -> RateBucket {
    RateBucket(key: key, policy: "p", window: RatePolicy.Window(limit: limit, seconds: seconds))
  }

  @Test("The limit passes, the next is told when to come again")
  func limit() async throws {
    try await run { limiter, _, key in
      let start = ContinuousClock.now
      for count in 1...5 {
        let decision = try await limiter.decide(
          [bucket(key, 5, 60)],
          session: nil,
          refusesWithoutRedis: true
        )
        #expect(decision.isAllowed)
        #expect(decision.states[0].remaining == 5 - count)
      }
      let refused = try await limiter.decide(
        [bucket(key, 5, 60)],
        session: nil,
        refusesWithoutRedis: true
      )
      #expect(!refused.isAllowed)
      // A minute from the first request, in slots of three seconds.
      let passed = (ContinuousClock.now - start) / .milliseconds(1)
      #expect(refused.retryMilliseconds <= 63_000)
      #expect(Double(refused.retryMilliseconds) >= 57_000 - passed)
    }
  }

  @Test("Nothing is spent unless every bucket has room, and the longest wait counts")
  func together() async throws {
    try await run { limiter, _, key in
      let buckets = [
        bucket(key + "a", 10, 60), bucket(key + "b", 1, 3600), bucket(key + "c", 1, 60),
      ]
      let first = try await limiter.decide(buckets, session: nil, refusesWithoutRedis: true)
      #expect(first.isAllowed)
      let refused = try await limiter.decide(buckets, session: nil, refusesWithoutRedis: true)
      #expect(!refused.isAllowed)
      #expect(refused.retryMilliseconds > 3_000_000)
      #expect(refused.states.map(\.remaining) == [9, 0, 0])
    }
  }

  @Test("A hundred requests at once pass exactly as many as the limit")
  func concurrent() async throws {
    try await run { limiter, _, key in
      let passed = try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<100 {
          group.addTask {
            try await limiter.decide(
              [bucket(key, 30, 60)],
              session: nil,
              refusesWithoutRedis: true
            ).isAllowed
          }
        }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(passed == 30)
    }
  }

  @Test("A session that has ended is refused and spends nothing")
  func revoked() async throws {
    try await run { limiter, redis, key in
      _ = try await redis.command("SET", RateScript.revocationKey(session: key), "1", "EX", 60)
      let decision = try await limiter.decide(
        [bucket(key, 1, 60)],
        session: key,
        refusesWithoutRedis: true
      )
      #expect(decision.isRevoked)
      #expect(!decision.isAllowed)
      _ = try await redis.command("DEL", RateScript.revocationKey(session: key))
      let again = try await limiter.decide(
        [bucket(key, 1, 60)],
        session: key,
        refusesWithoutRedis: true
      )
      #expect(again.isAllowed)
    }
  }

  @Test("The counts in Redis expire with their window")
  func expiry() async throws {
    try await run { limiter, redis, key in
      _ = try await limiter.decide([bucket(key, 5, 60)], session: nil, refusesWithoutRedis: true)
      let life = try await redis.command("PTTL", key).integer ?? 0
      #expect((1...63_000).contains(life))
    }
  }

  @Test("A value that is not ours is taken for none")
  func foreignValue() async throws {
    try await run { limiter, redis, key in
      _ = try await redis.command("SET", key, "garbage")
      let decision = try await limiter.decide(
        [bucket(key, 5, 60)],
        session: nil,
        refusesWithoutRedis: true
      )
      #expect(decision.states[0].remaining == 4)
    }
  }

  @Test("Redis and the local limiter decide alike")
  func alike() async throws {
    try await run { _, redis, key in
      let script = RedisScript(RateScript.source)
      let local = LocalLimiter()
      let buckets = [bucket(key, 7, 60), bucket(key + "x", 3, 3600)]
      for round in 0..<10 {
        let reply = try await redis.run(
          script,
          keys: [RateScript.revocationKey(session: "-")] + buckets.map(\.key),
          arguments: ["7", "60", "3", "3600"]
        ).integers
        let remote = try #require(RateScript.decision(reply, for: buckets))
        let decision = local.decide(buckets, at: 1_000)
        #expect(remote.isAllowed == decision.isAllowed, "round \(round)")
        #expect(remote.states.map(\.remaining) == decision.states.map(\.remaining))
      }
    }
  }

  @Test("With Redis away the local limiter decides, unless the policy refuses")
  func away() async throws {
    try await TestRedis.run(url: "redis://127.0.0.1:1/0") { client in
      let limiter = RateLimiter(redis: client, logger: .quiet)
      let key = UUID().uuidString
      for _ in 0..<2 {
        let decision = try await limiter.decide(
          [bucket(key, 2, 60)],
          session: "s",
          refusesWithoutRedis: false
        )
        #expect(decision.isAllowed)
      }
      let third = try await limiter.decide(
        [bucket(key, 2, 60)],
        session: "s",
        refusesWithoutRedis: false
      )
      #expect(!third.isAllowed)
      await #expect(throws: Problem.self) {
        try await limiter.decide([bucket(key, 9, 60)], session: nil, refusesWithoutRedis: true)
      }
    }
  }
}
