internal import Postgres

extension UserStore {
  /// The schema of AuthSvc, in the order in which it grew.
  static let migrations: [Migration] = [
    migration(1, "create_users", PackageResources._001_create_users_sql),
    migration(
      2,
      "create_session_functions",
      PackageResources._002_create_session_functions_sql
    ),
    migration(3, "create_erasure", PackageResources._003_create_erasure_sql),
  ]

  private static func migration(_ version: Int, _ name: String, _ sql: [UInt8]) -> Migration {
    Migration(version: version, name: name, sql: String(decoding: sql, as: UTF8.self))
  }
}
