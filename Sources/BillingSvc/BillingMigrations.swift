internal import Postgres

extension BillingStore {
  /// The schema of BillingSvc, in the order in which it grew.
  static let migrations: [Migration] = [
    migration(1, "create_plans", PackageResources._001_create_plans_sql),
    migration(2, "create_ledger", PackageResources._002_create_ledger_sql),
    migration(3, "create_entitlements", PackageResources._003_create_entitlements_sql),
    migration(4, "create_holds", PackageResources._004_create_holds_sql),
    migration(5, "create_ledger_violations", PackageResources._005_create_ledger_violations_sql),
    migration(6, "derive_entitlements", PackageResources._006_derive_entitlements_sql),
    migration(7, "erase_users", PackageResources._007_erase_users_sql),
  ]

  private static func migration(_ version: Int, _ name: String, _ sql: [UInt8]) -> Migration {
    Migration(version: version, name: name, sql: String(decoding: sql, as: UTF8.self))
  }
}
