import Foundation
import ServiceKit
import Testing

@testable import BillingSvc

@Suite("Subscriptions", .serialized) struct SubscriptionTests {
  private func event(
    _ type: String,
    of user: UserID,
    id: String = UUID().uuidString,
    product: String = "pro_monthly",
    at time: Date? = nil,
    expiresAt: Date? = nil
  ) -> SubscriptionEvent {
    var event = SubscriptionEvent.mock(
      id: id,
      type: type,
      user: user,
      productID: product,
      expiresAt: expiresAt
    )
    event.occurredAt = time
    return event
  }

  @Test("A started subscription brings its plan and its month of credits")
  func starts() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      try await billing.subscribe(user, to: "premium")
      let (entitlements, balance) = try await billing.store.entitlements(of: user)
      #expect(entitlements.planCode == "premium")
      #expect(entitlements.expiresAt != nil)
      #expect(balance == 210)
    }
  }

  @Test("One event on many connections at once is applied once")
  func duplicates() async throws {
    try await BillingFixture.run(connections: 8) { billing in
      let user = BillingFixture.newUser()
      let event = event("subscription_created", of: user, id: "evt_1")
      let receipts = try await inParallel(count: 12) {
        try await billing.store.receive(event, payload: "{}")
      }
      #expect(receipts.filter { !$0.isDuplicate }.count == 1)
      #expect(receipts.allSatisfy { $0.isProcessed })
      let credits = try await billing.store.credits(of: user)
      #expect(credits.balance == 60)
    }
  }

  @Test("A second event for a running period brings no second month of credits")
  func samePeriod() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      try await billing.subscribe(user)
      billing.clock.advance(by: .seconds(3_600))
      try await billing.subscribe(user)
      #expect(try await billing.store.credits(of: user).balance == 60)
      billing.clock.advance(by: .seconds(40 * 86_400))
      try await billing.subscribe(user)
      #expect(try await billing.store.credits(of: user).balance == 110)
    }
  }

  @Test("A cancelled subscription lasts until the period ends, or ends now without one")
  func cancels() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      try await billing.subscribe(user)
      let end = BillingFixture.noon.addingTimeInterval(86_400)
      let cancelled = event("subscription_cancelled", of: user, expiresAt: end)
      #expect(try await billing.store.receive(cancelled, payload: "{}").isProcessed)
      #expect(try await billing.store.entitlements(of: user).0.planCode == "pro")
      billing.clock.advance(by: .seconds(86_400))
      #expect(try await billing.store.entitlements(of: user).0.planCode == "free")

      try await billing.subscribe(user)
      #expect(try await billing.store.entitlements(of: user).0.planCode == "pro")
      _ = try await billing.store.receive(
        event("subscription_cancelled", of: user),
        payload: "{}"
      )
      #expect(try await billing.store.entitlements(of: user).0.planCode == "free")
    }
  }

  @Test("A paid period that runs out leaves the free plan without any event")
  func runsOut() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      try await billing.subscribe(user)
      billing.clock.advance(by: .seconds(32 * 86_400))
      #expect(try await billing.store.entitlements(of: user).0.planCode == "free")
    }
  }

  @Test("An upgrade replaces the plan at once")
  func upgrades() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      try await billing.subscribe(user, to: "pro")
      billing.clock.advance(by: .seconds(60))
      try await billing.subscribe(user, to: "premium")
      #expect(try await billing.store.entitlements(of: user).0.planCode == "premium")
    }
  }

  @Test("An event older than what is known is stored and not applied")
  func outOfOrder() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let noon = BillingFixture.noon
      _ = try await billing.store.receive(
        event("subscription_created", of: user, at: noon),
        payload: "{}"
      )
      let late = try await billing.store.receive(
        event("subscription_cancelled", of: user, at: noon.addingTimeInterval(-60)),
        payload: "{}"
      )
      #expect(late == EventReceipt(isProcessed: false, isDuplicate: false, outcome: "out_of_order"))
      #expect(try await billing.store.entitlements(of: user).0.planCode == "pro")
    }
  }

  @Test(
    "Events without an effect are stored and answered",
    arguments: [
      ("billing_issue", "pro_monthly", "ignored_type"),
      ("subscription_created", "gold_weekly", "unknown_product"),
      ("subscription_cancelled", "pro_monthly", "unknown_subscription"),
    ]
  )
  func withoutEffect(type: String, product: String, outcome: String) async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let receipt = try await billing.store.receive(
        event(type, of: user, product: product),
        payload: "{\"a\":1}"
      )
      #expect(receipt == EventReceipt(isProcessed: false, isDuplicate: false, outcome: outcome))
      let stored = try await billing.database.query(
        "SELECT count(*) FROM webhook_inbox WHERE outcome = \(outcome)"
      )
      #expect(try stored[0].decode(at: 0, as: Int.self) == 1)
    }
  }
}
