import Foundation
import ServiceKit
import Testing

@testable import BillingSvc

@Suite("Gates", .serialized) struct GateTests {
  @Test("The sixth job of a day is refused, and the next day's first is not")
  func daily() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      for _ in 0..<5 {
        let request = BillingFixture.request(of: user)
        #expect(try await billing.store.hold(request).admission != nil)
        _ = try await billing.store.capture(request.job, of: user)
      }
      let midnight = BillingFixture.noon.addingTimeInterval(12 * 3_600)
      #expect(
        try await billing.store.hold(BillingFixture.request(of: user)).refusal
          == .daily(used: 5, limit: 5, resetsAt: midnight, secondsLeft: 12 * 3_600)
      )
      billing.clock.advance(by: .seconds(12 * 3_600 - 1))
      #expect(try await billing.store.hold(BillingFixture.request(of: user)).admission == nil)
      billing.clock.advance(by: .seconds(1))
      #expect(try await billing.store.hold(BillingFixture.request(of: user)).admission != nil)
    }
  }

  @Test("A refused job is not one of the day's, nor is one answered from the cache")
  func uncounted() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      _ = try await billing.store.hold(BillingFixture.request(of: user, maxSide: 4_096))
      #expect(try await billing.store.usage(of: user).jobsToday == 0)
      let request = BillingFixture.request(of: user)
      _ = try await billing.store.hold(request)
      #expect(try await billing.store.usage(of: user).jobsToday == 1)
      _ = try await billing.store.release(request.job, of: user, uncounted: true)
      #expect(try await billing.store.usage(of: user).jobsToday == 0)
    }
  }

  @Test("A third unfinished job is refused until one of the two ends")
  func concurrent() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let first = BillingFixture.request(of: user)
      _ = try await billing.store.hold(first)
      _ = try await billing.store.hold(BillingFixture.request(of: user))
      #expect(
        try await billing.store.hold(BillingFixture.request(of: user)).refusal
          == .concurrent(running: 2, limit: 2)
      )
      _ = try await billing.store.capture(first.job, of: user)
      #expect(try await billing.store.hold(BillingFixture.request(of: user)).admission != nil)
    }
  }

  @Test("Parallel jobs do not slip past the concurrent limit")
  func parallelLimit() async throws {
    try await BillingFixture.run(connections: 8) { billing in
      let user = BillingFixture.newUser()
      let outcomes = try await inParallel(count: 24) {
        try await billing.store.hold(BillingFixture.request(of: user))
      }
      #expect(outcomes.compactMap(\.admission).count == 2)
    }
  }

  @Test("Gates refuse in the order consent, feature, parameter, daily, concurrent, credits")
  func order() async throws {
    try await BillingFixture.run(startingCredits: 1) { billing in
      let user = BillingFixture.newUser()
      let consents = ["face_swap_consent", "deepfake_awareness_consent"]
      let premium = ["premium_feature"]
      let cases: [(Int32?, [String], [String], Refusal)] = [
        (4_096, premium, [], .consent(required: consents, missing: consents)),
        (
          4_096, premium, ["face_swap_consent"],
          .consent(required: consents, missing: ["deepfake_awareness_consent"])
        ),
        (4_096, premium, consents, .feature),
        (1_024, [], consents, .maxSide(requested: 1_024, limit: 512)),
        (512, [], consents, .credits(cost: 2, balance: 1)),
      ]
      for (maxSide, features, given, expected) in cases {
        let outcome = try await billing.store.hold(
          BillingFixture.request(
            of: user,
            type: "face_swap",
            maxSide: maxSide,
            features: features,
            consents: given
          )
        )
        #expect(outcome == .refused(expected))
      }
    }
  }

  @Test(
    "Each plan has the limits of the price table",
    arguments: [
      ("free", Int32(5), Int32(2), Int32(512), Int32(0), true),
      ("pro", 50, 5, 1_024, 1, false),
      ("premium", 200, 10, 2_048, 2, false),
    ]
  )
  func plans(
    code: String,
    daily: Int32,
    concurrent: Int32,
    maxSide: Int32,
    queueClass: Int32,
    consumesCredits: Bool
  ) async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      if code != "free" { try await billing.subscribe(user, to: code) }
      let (entitlements, _) = try await billing.store.entitlements(of: user)
      #expect(entitlements.planCode == code)
      #expect(
        entitlements.limits
          == PlanLimits(dailyJobs: daily, concurrentJobs: concurrent, maxSide: maxSide)
      )
      #expect(entitlements.queueClass == queueClass)
      #expect(entitlements.consumesCredits == consumesCredits)
      #expect(entitlements.isSubscribed == (code != "free"))
    }
  }

  @Test("A subscription pays for its jobs: the ledger notes them with no credits")
  func subscriptionPays() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      try await billing.subscribe(user)
      let request = BillingFixture.request(of: user, type: "upscale", maxSide: 1_024)
      let admission = try #require(try await billing.store.hold(request).admission)
      #expect(admission.amount == 0)
      #expect(admission.balance == 60)
      let captured = try await billing.store.capture(request.job, of: user)
      #expect(captured == Settlement(state: .captured, amount: 0, isChanged: true))
      // What the plan does not cover is paid by credits.
      let video = BillingFixture.request(of: user, type: "talking_photo")
      #expect(try await billing.store.hold(video).admission?.amount == 1)
    }
  }
}
