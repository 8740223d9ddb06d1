internal import Postgres

extension ResultCache {
  /// The schema of GPUGateway, in the order in which it grew.
  static let migrations: [Migration] = [
    Migration(
      version: 1,
      name: "create_result_cache",
      sql: String(decoding: PackageResources._001_create_result_cache_sql, as: UTF8.self)
    )
  ]
}
