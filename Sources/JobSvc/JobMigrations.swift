internal import Postgres

extension JobStore {
  /// The schema of JobSvc, in the order in which it grew.
  static let migrations: [Migration] = [
    migration(1, "create_upload", PackageResources._001_create_upload_sql),
    migration(2, "create_job", PackageResources._002_create_job_sql),
    migration(3, "create_idempotency_key", PackageResources._003_create_idempotency_key_sql),
    migration(4, "create_settlement", PackageResources._004_create_settlement_sql),
    migration(5, "create_webhook", PackageResources._005_create_webhook_sql),
    migration(6, "create_erased_user", PackageResources._006_create_erased_user_sql),
  ]

  private static func migration(_ version: Int, _ name: String, _ sql: [UInt8]) -> Migration {
    Migration(version: version, name: name, sql: String(decoding: sql, as: UTF8.self))
  }
}
