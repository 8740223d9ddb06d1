import EventLoop
import Foundation
import Logging
import Postgres
import ServiceKit
import Testing

@testable import BillingSvc

/// A billing schema of its own on the test database, gone after the test.
struct BillingFixture {
  /// Noon, so that a step of some hours stays inside the day.
  static let noon = Date(timeIntervalSince1970: 1_700_049_600)

  let store: BillingStore
  let clock: ManualWallClock
  let database: PostgresClient

  /// Runs `body` on a fresh schema and checks that the ledger is whole at its end.
  static func run(
    startingCredits: Int64 = 10,
    holdLifetime: Duration = .seconds(86_400),
    connections: Int = 2,
    _ body: (BillingFixture) async throws -> Void
  ) async throws {
    let url = try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_DATABASE_URL"],
      "set ONESHOT_TEST_DATABASE_URL, or run make test"
    )
    let schema = "billing_\(UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: ""))"
    let group = try EventLoopGroup(count: 1)
    var configuration = PostgresConfiguration(url: url, searchPath: schema)
    configuration.limits.connectionsPerLoop = connections
    let database = try PostgresClient(
      configuration,
      group: group,
      logger: Logger(label: "billing tests")
    )
    try await database.migrate(schema: schema, migrations: BillingStore.migrations)
    let clock = ManualWallClock(noon)
    let settings = BillingStore.Settings(
      startingCredits: startingCredits,
      holdLifetime: holdLifetime
    )
    let fixture = BillingFixture(
      store: BillingStore(database: database, settings: settings, clock: clock),
      clock: clock,
      database: database
    )
    do {
      try await body(fixture)
      #expect(try await fixture.store.violations() == [])
    } catch {
      Issue.record("the test threw: \(error)")
    }
    _ = try await database.query("DROP SCHEMA \(unescaped: schema) CASCADE")
    await database.shutdown()
    group.stop()
  }

  /// A request that every plan admits.
  static func request(
    of user: UserID,
    job: JobID = JobID(UUID()),
    type: String = "face_restore",
    maxSide: Int32? = nil,
    features: [String] = [],
    consents: [String] = []
  ) -> AdmissionRequest {
    AdmissionRequest(
      job: job,
      user: user,
      jobType: type,
      maxSide: maxSide,
      features: features,
      consents: consents
    )
  }

  static func newUser() -> UserID { UserID(UUID()) }

  /// Makes the user a subscriber of the monthly product.
  func subscribe(_ user: UserID, to plan: String = "pro") async throws {
    let event = SubscriptionEvent.mock(
      id: UUID().uuidString,
      type: "subscription_created",
      user: user,
      productID: "\(plan)_monthly",
      expiresAt: nil
    )
    let receipt = try await store.receive(event, payload: "{}")
    #expect(receipt.isProcessed)
  }
}

extension AdmissionOutcome {
  var admission: Admission? {
    if case .admitted(let admission) = self { admission } else { nil }
  }

  var refusal: Refusal? {
    if case .refused(let refusal) = self { refusal } else { nil }
  }
}
