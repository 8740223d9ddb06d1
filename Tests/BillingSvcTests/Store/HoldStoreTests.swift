import Foundation
import Postgres
import ServiceKit
import Testing

@testable import BillingSvc

@Suite("Holds", .serialized) struct HoldStoreTests {
  @Test("A new user starts with the starting credits, once")
  func startingCredits() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      for _ in 0..<2 {
        let credits = try await billing.store.credits(of: user)
        #expect(credits.balance == 10)
      }
      #expect(try await billing.store.entitlements(of: user).balance == 10)
    }
  }

  @Test(
    "A hold moves the cost from the balance to the held credits",
    arguments: [
      ("face_restore", Int64(1)), ("face_swap", 2), ("upscale", 1), ("hair_tryon", 1),
    ]
  )
  func costs(type: String, cost: Int64) async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let request = BillingFixture.request(
        of: user,
        type: type,
        consents: ["face_swap_consent", "deepfake_awareness_consent"]
      )
      let admission = try #require(try await billing.store.hold(request).admission)
      #expect(admission.amount == cost)
      #expect(admission.balance == 10 - cost)
      #expect(admission.entitlements.planCode == "free")
      #expect(!admission.isRepeated)
      let credits = try await billing.store.credits(of: user)
      #expect(credits.balance == 10 - cost)
      #expect(credits.held == cost)
      #expect(credits.holds.map(\.job) == [request.job])
    }
  }

  @Test("Repeats of a hold answer the first hold and take nothing more")
  func repeats() async throws {
    try await BillingFixture.run(connections: 4) { billing in
      let user = BillingFixture.newUser()
      let request = BillingFixture.request(of: user)
      let outcomes = try await inParallel(count: 16) {
        try await billing.store.hold(request)
      }
      let admissions = outcomes.compactMap(\.admission)
      #expect(admissions.count == 16)
      #expect(admissions.filter { !$0.isRepeated }.count == 1)
      #expect(admissions.allSatisfy { $0.balance == 9 && $0.state == .held })
      #expect(try await billing.store.usage(of: user).jobsToday == 1)
    }
  }

  @Test("Parallel holds of one user never spend a credit twice")
  func doubleSpend() async throws {
    try await BillingFixture.run(startingCredits: 7, connections: 8) { billing in
      try await billing.store.apply(
        try PlanOverrides(
          parsing: "{\"free\": {\"daily_jobs\": 1000, \"concurrent_jobs\": 1000}}"
        )
      )
      let user = BillingFixture.newUser()
      let outcomes = try await inParallel(count: 60) {
        try await billing.store.hold(BillingFixture.request(of: user))
      }
      #expect(outcomes.compactMap(\.admission).count == 7)
      #expect(outcomes.compactMap(\.refusal).count == 53)
      #expect(outcomes.contains(.refused(.credits(cost: 1, balance: 0))))
      let credits = try await billing.store.credits(of: user)
      #expect(credits.balance == 0)
      #expect(credits.held == 7)
    }
  }

  @Test("Holds, captures, releases and grants of one user in parallel keep the ledger whole")
  func mixedTraffic() async throws {
    try await BillingFixture.run(startingCredits: 20, connections: 8) { billing in
      let user = BillingFixture.newUser()
      let jobs = (0..<20).map { _ in JobID(UUID()) }
      _ = try await inParallel(count: 120) { number in
        let job = jobs[number % jobs.count]
        switch number % 6 {
        case 0, 1: _ = try await billing.store.hold(BillingFixture.request(of: user, job: job))
        case 2: _ = try await billing.store.capture(job, of: user)
        case 3: _ = try await billing.store.release(job, of: user, uncounted: number % 4 == 0)
        case 4: _ = try await billing.store.credits(of: user)
        default:
          _ = try await billing.store.grant(
            3,
            to: user,
            kind: .bonus,
            reference: "gift \(number % 5)"
          )
        }
      }
      #expect(try await billing.store.violations() == [])
    }
  }

  @Test("A capture spends the hold exactly once, and a release after it changes nothing")
  func capturesOnce() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let request = BillingFixture.request(of: user)
      _ = try await billing.store.hold(request)
      let first = try await billing.store.capture(request.job, of: user)
      #expect(first == Settlement(state: .captured, amount: 1, isChanged: true))
      let second = try await billing.store.capture(request.job, of: user)
      #expect(second == Settlement(state: .captured, amount: 1, isChanged: false))
      let release = try await billing.store.release(request.job, of: user, uncounted: false)
      #expect(release == Settlement(state: .captured, amount: 1, isChanged: false))
      let credits = try await billing.store.credits(of: user)
      #expect(credits.balance == 9)
      #expect(credits.held == 0)
    }
  }

  @Test("A release gives the credits back exactly once, and a capture after it takes nothing")
  func releasesOnce() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let request = BillingFixture.request(of: user)
      _ = try await billing.store.hold(request)
      let first = try await billing.store.release(request.job, of: user, uncounted: false)
      #expect(first == Settlement(state: .released, amount: 1, isChanged: true))
      let second = try await billing.store.release(request.job, of: user, uncounted: false)
      #expect(second?.isChanged == false)
      #expect(try await billing.store.capture(request.job, of: user)?.isChanged == false)
      #expect(try await billing.store.credits(of: user).balance == 10)
      #expect(try await billing.store.hold(request).refusal == .ended(.released))
      #expect(try await billing.store.usage(of: user).jobsToday == 1)
    }
  }

  @Test("A release that comes before its hold refuses the hold")
  func tombstone() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let request = BillingFixture.request(of: user)
      let release = try await billing.store.release(request.job, of: user, uncounted: true)
      #expect(release == Settlement(state: .released, amount: 0, isChanged: true))
      #expect(try await billing.store.hold(request).refusal == .ended(.released))
      #expect(try await billing.store.credits(of: user).balance == 10)
      #expect(try await billing.store.usage(of: user).jobsToday == 0)
    }
  }

  @Test("A hold and its release at once end in one of the two orders, with the credits back")
  func holdMeetsRelease() async throws {
    try await BillingFixture.run(connections: 4) { billing in
      let user = BillingFixture.newUser()
      for _ in 0..<10 {
        let request = BillingFixture.request(of: user)
        async let release = billing.store.release(request.job, of: user, uncounted: true)
        async let hold = billing.store.hold(request)
        _ = try await (release, hold)
        #expect(try await billing.store.credits(of: user).balance == 10)
      }
      #expect(try await billing.store.usage(of: user).jobsToday == 0)
    }
  }

  @Test("Nobody settles another user's hold")
  func otherUsers() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let stranger = BillingFixture.newUser()
      let request = BillingFixture.request(of: user)
      _ = try await billing.store.hold(request)
      #expect(try await billing.store.capture(request.job, of: stranger) == nil)
      #expect(try await billing.store.release(request.job, of: stranger, uncounted: false) == nil)
      let theirs = BillingFixture.request(of: stranger, job: request.job)
      #expect(try await billing.store.hold(theirs).refusal == .otherOwner)
      #expect(try await billing.store.credits(of: user).held == 1)
    }
  }

  @Test("A hold that nobody ends in time gives its credits back")
  func expires() async throws {
    try await BillingFixture.run(holdLifetime: .seconds(60)) { billing in
      let user = BillingFixture.newUser()
      let request = BillingFixture.request(of: user)
      _ = try await billing.store.hold(request)
      #expect(try await billing.store.expireHolds(limit: 10) == 0)
      billing.clock.advance(by: .seconds(61))
      #expect(try await billing.store.usage(of: user).concurrentJobs == 0)
      #expect(try await billing.store.expireHolds(limit: 10) == 1)
      #expect(try await billing.store.expireHolds(limit: 10) == 0)
      #expect(try await billing.store.credits(of: user).balance == 10)
      let late = try await billing.store.capture(request.job, of: user)
      #expect(late == Settlement(state: .expired, amount: 1, isChanged: false))
    }
  }
}

/// Runs `body` `count` times at once and returns the results.
func inParallel<Value: Sendable>(
  count: Int,
  _ body: @escaping @Sendable (Int) async throws -> Value
) async throws -> [Value] {
  try await withThrowingTaskGroup(of: Value.self) { group in
    for number in 0..<count { group.addTask { try await body(number) } }
    return try await group.reduce(into: []) { $0.append($1) }
  }
}

func inParallel<Value: Sendable>(
  count: Int,
  _ body: @escaping @Sendable () async throws -> Value
) async throws -> [Value] {
  try await inParallel(count: count) { _ in try await body() }
}
