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

  @Test("A subscription that somebody else pays for cannot be claimed")
  func otherOwner() async throws {
    try await BillingFixture.run { billing in
      let (owner, thief) = (BillingFixture.newUser(), BillingFixture.newUser())
      let started = event("subscription_created", of: owner)
      #expect(try await billing.store.receive(started, payload: "{}").isProcessed)
      let before = try await billing.store.entitlements(of: owner)
      billing.clock.advance(by: .seconds(60))
      for type in ["subscription_created", "subscription_renewed", "subscription_expired"] {
        var claim = event(type, of: thief, product: "premium_monthly")
        claim.subscriptionID = started.subscriptionID
        let receipt = try await billing.store.receive(claim, payload: "{}")
        #expect(
          receipt == EventReceipt(isProcessed: false, isDuplicate: false, outcome: "other_owner")
        )
      }
      let after = try await billing.store.entitlements(of: owner)
      #expect(after == before)
      let (stolen, balance) = try await billing.store.entitlements(of: thief)
      #expect(stolen.planCode == "free")
      #expect(balance == 10)
    }
  }

  @Test("A period's credits come once, however its end is told")
  func onceForAPeriod() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let end = BillingFixture.noon.addingTimeInterval(30 * 86_400)
      let next = end.addingTimeInterval(30 * 86_400)
      let told: [(type: String, end: Date, balance: Int64)] = [
        ("created", end, 60),
        // The provider moves the end about: a second, some hours, and back.
        ("renewed", end.addingTimeInterval(1), 60),
        ("renewed", end.addingTimeInterval(20 * 3_600), 60),
        ("renewed", end, 60),
        // Cancelled and taken up again inside the period that was granted.
        ("cancelled", end, 60),
        ("renewed", end, 60),
        // The next period, told twice.
        ("renewed", next, 110),
        ("renewed", next.addingTimeInterval(-1), 110),
      ]
      for (type, end, balance) in told {
        let event = event("subscription_\(type)", of: user, expiresAt: end)
        let receipt = try await billing.store.receive(event, payload: "{}")
        let credits = try await billing.store.credits(of: user)
        #expect(receipt.isProcessed)
        #expect(credits.balance == balance)
      }
    }
  }

  @Test("A period that is over when its event comes brings neither plan nor credits")
  func periodInThePast() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let late = event(
        "subscription_created",
        of: user,
        expiresAt: BillingFixture.noon.addingTimeInterval(-60)
      )
      #expect(try await billing.store.receive(late, payload: "{}").isProcessed)
      let (entitlements, balance) = try await billing.store.entitlements(of: user)
      #expect(entitlements.planCode == "free")
      #expect(balance == 10)
    }
  }

  @Test("The best plan that is paid for holds, and the next one comes back when it ends")
  func bestPlanHolds() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      func expect(_ plan: String, untilDay day: Int?) async throws {
        let entitlements = try await billing.store.entitlements(of: user).0
        #expect(entitlements.planCode == plan)
        let end = entitlements.expiresAt?.timeIntervalSince(BillingFixture.noon)
        #expect(end.map { Int($0 / 86_400) } == day)
      }
      func receive(_ type: String, _ product: String, days: Double?) async throws {
        let end = days.map { BillingFixture.noon.addingTimeInterval($0 * 86_400) }
        let event = event(type, of: user, product: product, expiresAt: end)
        #expect(try await billing.store.receive(event, payload: "{}").isProcessed)
      }
      try await receive("subscription_created", "pro_yearly", days: 365)
      try await expect("pro", untilDay: 365)
      billing.clock.advance(by: .seconds(86_400))
      try await receive("subscription_created", "premium_monthly", days: 31)
      try await expect("premium", untilDay: 31)
      // A renewal of the lesser plan does not push the better one aside.
      try await receive("subscription_renewed", "pro_yearly", days: 400)
      try await expect("premium", untilDay: 31)
      billing.clock.advance(by: .seconds(31 * 86_400))
      try await expect("pro", untilDay: 400)
      // Bought again and ended at once: pro is there without another event.
      try await receive("subscription_created", "premium_monthly", days: 62)
      try await expect("premium", untilDay: 62)
      billing.clock.advance(by: .seconds(60))
      try await receive("subscription_expired", "premium_monthly", days: nil)
      try await expect("pro", untilDay: 400)
      try await receive("subscription_expired", "pro_yearly", days: nil)
      try await expect("free", untilDay: nil)
    }
  }

  @Test("Two users may choose the same id for their mock events")
  func sameMockID() async throws {
    try await BillingFixture.run { billing in
      for user in [BillingFixture.newUser(), BillingFixture.newUser()] {
        let event = event("subscription_created", of: user, id: "evt_1")
        let first = try await billing.store.receive(event, payload: "{}")
        #expect(first.isProcessed && !first.isDuplicate)
        #expect(try await billing.store.receive(event, payload: "{}").isDuplicate)
        #expect(try await billing.store.entitlements(of: user).0.planCode == "pro")
      }
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
