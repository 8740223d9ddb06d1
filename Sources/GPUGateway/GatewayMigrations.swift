internal import Postgres

extension ResultCache {
  /// The schema of GPUGateway, in the order in which it grew.
  static let migrations: [Migration] = [
    migration(1, "create_result_cache", PackageResources._001_create_result_cache_sql),
    migration(2, "create_erased_user", PackageResources._002_create_erased_user_sql),
  ]

  private static func migration(_ version: Int, _ name: String, _ sql: [UInt8]) -> Migration {
    Migration(version: version, name: name, sql: String(decoding: sql, as: UTF8.self))
  }
}
