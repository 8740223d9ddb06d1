import EventLoop
import Foundation
import Logging
import Postgres
import ServiceKit
import Testing

@testable import BillingSvc

@Suite("Upgrading the schema", .serialized) struct UpgradeTests {
  /// A user as the fifth version left them: premium was bought while pro was paid for, and pro's
  /// entitlement is gone.
  private static func insertOldData(_ user: UserID, _ database: PostgresClient) async throws {
    for (id, event) in [("1", "pro_monthly"), ("2", "premium_monthly")] {
      _ = try await database.query(
        """
        SELECT receive_subscription_event(
          'mock', \(id), 'subscription_created', 'started', \(user.uuid), \(event), \(event), NULL,
          clock_timestamp() + make_interval(days => CASE \(id) WHEN '1' THEN 90 ELSE 30 END),
          jsonb_build_object('user_id', \(user.uuid)::text), 10, NULL)
        """
      )
    }
    _ = try await database.query(
      "SELECT grant_credits(\(user.uuid), 'bonus', 'grant:welcome', 5, 10, NULL)"
    )
  }

  @Test("Old subscriptions get their plans back, and nothing is granted a second time")
  func fromVersionFive() async throws {
    let url = try #require(ProcessInfo.processInfo.environment["ONESHOT_TEST_DATABASE_URL"])
    let schema = "billing_\(UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: ""))"
    let group = try EventLoopGroup(count: 1)
    let database = try PostgresClient(
      PostgresConfiguration(url: url, searchPath: schema),
      group: group,
      logger: Logger(label: "billing tests")
    )
    let user = BillingFixture.newUser()
    let old = BillingStore.migrations.filter { $0.version <= 5 }
    try await database.migrate(schema: schema, migrations: old)
    try await Self.insertOldData(user, database)
    try await database.migrate(schema: schema, migrations: BillingStore.migrations)
    do {
      let store = BillingStore(database: database, settings: BillingStore.Settings())
      #expect(try await store.violations() == [])
      #expect(try await store.entitlements(of: user).balance == 265)
      let plans = try await database.query(
        "SELECT plan_code FROM user_entitlement WHERE effective_to > now() ORDER BY effective_from"
      )
      #expect(try plans.map { try $0.decode(at: 0, as: String.self) } == ["premium", "pro"])
      // The credits of the running periods, and the grant, are there already.
      let repeated = try await database.query(
        """
        SELECT receive_subscription_event(
          'mock', 'again', 'subscription_renewed', 'started', \(user.uuid), 'pro_monthly',
          'pro_monthly', NULL, clock_timestamp() + interval '90 days', '{}', 10, NULL)
        """
      )
      #expect(repeated.count == 1)
      let grant = try await store.grant(5, to: user, kind: .bonus, reference: "welcome")
      #expect(!grant.isChanged)
      #expect(grant.balance == 265)
      let inbox = try await database.query(
        "SELECT count(*) FROM webhook_inbox WHERE event_id = \("\(user):1")"
      )
      #expect(try inbox[0].decode(at: 0, as: Int.self) == 1)
    } catch {
      Issue.record("the test threw: \(error)")
    }
    _ = try await database.query("DROP SCHEMA \(unescaped: schema) CASCADE")
    await database.shutdown()
    group.stop()
  }
}
