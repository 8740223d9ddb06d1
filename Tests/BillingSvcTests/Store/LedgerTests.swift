import Foundation
import Postgres
import ServiceKit
import Testing

@testable import BillingSvc

@Suite("Ledger", .serialized) struct LedgerTests {
  @Test("A grant happens once per reference")
  func grantsOnce() async throws {
    try await BillingFixture.run(connections: 4) { billing in
      let user = BillingFixture.newUser()
      let results = try await inParallel(count: 8) {
        try await billing.store.grant(5, to: user, kind: .purchase, reference: "order 1").isChanged
      }
      #expect(results.filter { $0 }.count == 1)
      #expect(try await billing.store.credits(of: user).balance == 15)
    }
  }

  @Test("The same reference of another user, or of another kind, is another grant")
  func references() async throws {
    try await BillingFixture.run { billing in
      let (one, other) = (BillingFixture.newUser(), BillingFixture.newUser())
      for (user, kind) in [(one, GrantKind.purchase), (other, .purchase), (one, .refund)] {
        let first = try await billing.store.grant(5, to: user, kind: kind, reference: "order 1")
        #expect(first.isChanged)
        let second = try await billing.store.grant(5, to: user, kind: kind, reference: "order 1")
        #expect(!second.isChanged)
        #expect(first.balance == second.balance)
      }
      #expect(try await billing.store.credits(of: one).balance == 20)
      #expect(try await billing.store.credits(of: other).balance == 15)
    }
  }

  @Test(
    "Entries cannot be changed or removed",
    arguments: [
      "UPDATE ledger_entry SET amount = 0",
      "DELETE FROM ledger_entry",
      "TRUNCATE ledger_entry CASCADE",
      "UPDATE ledger_transaction SET kind = 'bonus'",
      "DELETE FROM ledger_transaction",
    ]
  )
  func appendOnly(sql: String) async throws {
    try await BillingFixture.run { billing in
      _ = try await billing.store.credits(of: BillingFixture.newUser())
      await #expect(throws: PostgresError.self) {
        try await billing.database.query(PostgresQuery(unescaped: sql))
      }
    }
  }

  @Test("A transaction that does not sum to zero is not committed")
  func balanced() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      _ = try await billing.store.credits(of: user)
      let error = await #expect(throws: PostgresError.self) {
        try await billing.database.query(
          """
          WITH added AS (
            INSERT INTO ledger_transaction (kind, reference, owner_id, created_at)
            VALUES ('bonus', 'unbalanced', \(user.uuid), now()) RETURNING id
          )
          INSERT INTO ledger_entry (transaction_id, account_id, amount)
          SELECT added.id, a.id, 5 FROM added, ledger_account a
          WHERE a.owner_id = \(user.uuid) AND a.kind = 'available'
          """
        )
      }
      #expect(error?.constraint == "transaction_balanced")
      #expect(try await billing.store.credits(of: user).balance == 10)
    }
  }

  @Test("No balance goes below zero")
  func noOverdraft() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      _ = try await billing.store.credits(of: user)
      let error = await #expect(throws: PostgresError.self) {
        try await billing.database.query(
          """
          SELECT post_transfer('bonus', 'overdraft', \(user.uuid), NULL, a.id, 3, 11, now())
          FROM ledger_account a WHERE a.owner_id = \(user.uuid) AND a.kind = 'available'
          """
        )
      }
      #expect(error?.constraint == "balance_not_negative")
    }
  }

  @Test("A tampered balance and a tampered hold are found")
  func violations() async throws {
    try await BillingFixture.run { billing in
      let user = BillingFixture.newUser()
      let request = BillingFixture.request(of: user)
      _ = try await billing.store.hold(request)
      #expect(try await billing.store.violations() == [])
      _ = try await billing.database.query(
        "UPDATE ledger_account SET balance = 99 WHERE owner_id = \(user.uuid) AND kind = 'held'"
      )
      _ = try await billing.database.query(
        """
        UPDATE credit_hold SET state = 'captured', settled_at = now()
        WHERE job_id = \(request.job.uuid)
        """
      )
      let found = Set(try await billing.store.violations().map(\.invariant))
      #expect(found.contains("balance_differs_from_entries"))
      #expect(found.contains("held_differs_from_holds"))
      #expect(found.contains("settlement_differs_from_hold"))
      // Mended, so that the fixture's own check passes.
      _ = try await billing.database.query(
        "UPDATE ledger_account SET balance = 1 WHERE owner_id = \(user.uuid) AND kind = 'held'"
      )
      _ = try await billing.database.query(
        "UPDATE credit_hold SET state = 'held', settled_at = NULL"
      )
    }
  }

  @Test("Overrides change the plans until they are taken away")
  func overrides() async throws {
    try await BillingFixture.run { billing in
      try await billing.store.apply(
        try PlanOverrides(parsing: "{\"free\": {\"daily_jobs\": 77, \"max_side\": 99}}")
      )
      let changed = try await billing.store.plans()[0]
      #expect(changed.limits == PlanLimits(dailyJobs: 77, concurrentJobs: 2, maxSide: 99))
      try await billing.store.apply(PlanOverrides())
      let restored = try await billing.store.plans()
      #expect(restored.map(\.code) == ["free", "pro", "premium"])
      #expect(
        restored[0].limits == PlanLimits(dailyJobs: 5, concurrentJobs: 2, maxSide: 512)
      )
      #expect(try await billing.store.jobCosts().map(\.credits) == [1, 2, 1])
    }
  }
}
