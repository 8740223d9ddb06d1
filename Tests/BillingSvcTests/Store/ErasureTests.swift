import Foundation
import Postgres
import ServiceKit
import Testing

@testable import BillingSvc

@Suite("Erased users", .serialized) struct ErasureTests {
  /// Rows of any table that hold the user's id.
  private func traces(of user: UserID, in billing: BillingFixture) async throws -> [String] {
    let tables = [
      "ledger_account", "ledger_transaction", "ledger_entry", "credit_hold", "usage_aggregate",
      "subscription", "user_entitlement", "webhook_inbox",
    ]
    var found: [String] = []
    for table in tables {
      let rows = try await billing.database.query(
        "SELECT t::text FROM \(unescaped: table) t WHERE strpos(t::text, \("\(user)")) > 0"
      )
      found += try rows.map { "\(table): " + (try $0.decode(at: 0, as: String.self)) }
    }
    return found
  }

  /// A user with a subscription, bought credits, a job that was paid and one that was given back.
  private func user(in billing: BillingFixture) async throws -> UserID {
    let user = BillingFixture.newUser()
    let (spent, returned) = (JobID(UUID()), JobID(UUID()))
    _ = try await billing.store.hold(BillingFixture.request(of: user, job: spent))
    _ = try await billing.store.hold(BillingFixture.request(of: user, job: returned))
    _ = try await billing.store.capture(spent, of: user)
    _ = try await billing.store.release(returned, of: user, uncounted: true)
    _ = try await billing.store.grant(7, to: user, kind: .purchase, reference: "receipt-\(user)")
    try await billing.subscribe(user)
    return user
  }

  @Test("An erasure leaves the ledger whole under a pseudonym, and the user's id nowhere")
  func pseudonym() async throws {
    try await BillingFixture.run { billing in
      let user = try await user(in: billing)
      let other = try await self.user(in: billing)
      #expect(try await traces(of: user, in: billing).count > 8)
      let before = try await billing.store.credits(of: user).balance
      let pseudonym = UUID()
      #expect(try await billing.store.erase(user, as: pseudonym))
      #expect(try await traces(of: user, in: billing) == [])
      #expect(try await billing.store.violations() == [])
      #expect(try await billing.store.credits(of: UserID(pseudonym)).balance == before)
      let plan = try await billing.store.entitlements(of: UserID(pseudonym)).0.planCode
      #expect(plan == "free")
      // Nobody else is touched.
      let others = try await billing.store.entitlements(of: other).0.planCode
      #expect(others == "pro")
      #expect(try await traces(of: other, in: billing).count > 8)
    }
  }

  @Test("An erasure is repeated without effect, whatever pseudonym comes with the repeat")
  func repeated() async throws {
    try await BillingFixture.run { billing in
      let user = try await user(in: billing)
      let (first, second) = (UUID(), UUID())
      #expect(try await billing.store.erase(user, as: first))
      #expect(try await billing.store.erase(user, as: first))
      #expect(try await billing.store.erase(user, as: second))
      #expect(try await traces(of: UserID(second), in: billing) == [])
    }
  }

  @Test("An erasure waits for the end of jobs whose credits are held, and changes nothing before")
  func held() async throws {
    try await BillingFixture.run { billing in
      let user = try await user(in: billing)
      let job = JobID(UUID())
      _ = try await billing.store.hold(BillingFixture.request(of: user, job: job))
      let traces = try await traces(of: user, in: billing)
      #expect(try await billing.store.erase(user, as: UUID()) == false)
      #expect(try await self.traces(of: user, in: billing) == traces)
      _ = try await billing.store.capture(job, of: user)
      #expect(try await billing.store.erase(user, as: UUID()))
    }
  }

  @Test("Nothing opens an account for an erased user: no question, no job, no event")
  func late() async throws {
    try await BillingFixture.run { billing in
      let user = try await user(in: billing)
      #expect(try await billing.store.erase(user, as: UUID()))
      await expectErased { _ = try await billing.store.credits(of: user) }
      await expectErased { _ = try await billing.store.entitlements(of: user) }
      await expectErased { _ = try await billing.store.hold(BillingFixture.request(of: user)) }
      await expectErased { try await billing.subscribe(user) }
      #expect(try await traces(of: user, in: billing) == [])
      // A user who never had an account is refused from then on, too.
      let stranger = BillingFixture.newUser()
      #expect(try await billing.store.erase(stranger, as: UUID()))
      await expectErased { _ = try await billing.store.credits(of: stranger) }
    }
  }

  private func expectErased(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
  ) async {
    do {
      try await body()
      Issue.record("an erased user was served", sourceLocation: sourceLocation)
    } catch {
      #expect("\(error)".contains("INVALID_TOKEN"), sourceLocation: sourceLocation)
    }
  }

  @Test(
    "The ledger refuses every other change, also to the transactions of an erased user",
    arguments: [
      "UPDATE ledger_transaction SET created_at = now()",
      "UPDATE ledger_transaction SET kind = 'bonus'",
      "UPDATE ledger_transaction SET owner_id = gen_random_uuid()",
      "UPDATE ledger_transaction SET reference = reference || '!'",
      "UPDATE ledger_entry SET amount = amount", "DELETE FROM ledger_transaction",
    ]
  )
  func appendOnly(_ statement: String) async throws {
    try await BillingFixture.run { billing in
      let user = try await user(in: billing)
      #expect(try await billing.store.erase(user, as: UUID()))
      do {
        _ = try await billing.database.query("\(unescaped: statement)")
        Issue.record("not refused: \(statement)")
      } catch let error as PostgresError {
        #expect(error.sqlState == "23001")
      }
    }
  }
}
