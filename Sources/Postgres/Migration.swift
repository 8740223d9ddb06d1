internal import EventLoop
internal import Logging

/// One step of a schema's history.
package struct Migration: Sendable {
  /// Order of the steps, from 1; never reused.
  package let version: Int
  /// What it does, such as `create_jobs`.
  package let name: String
  /// Its statements, without transaction control: they run in one transaction, with the schema first
  /// in the search path.
  package let sql: String

  package init(version: Int, name: String, sql: String) {
    self.version = version
    self.name = name
    self.sql = sql
  }
}

extension PostgresClient {
  /// Brings `schema` up to date: runs the migrations that its table `schema_migration` lacks.
  ///
  /// Processes that start at the same time wait for each other by an advisory lock. Each migration
  /// commits on its own, with its row in the table. Rows that this program does not know (of a newer
  /// program) are left alone.
  ///
  /// - Parameters:
  ///   - schema: Created when it is missing.
  ///   - migrations: All steps, with strictly ascending versions.
  ///   - timeout: For the lock and for each migration.
  /// - Throws: ``PostgresError/Kind/migration`` when a migration was changed after it ran, or comes
  ///   before one that ran already.
  nonisolated(nonsending) package func migrate(
    schema: String,
    migrations: [Migration],
    timeout: Duration = .seconds(120)
  ) async throws(PostgresError) {
    for (earlier, later) in zip(migrations, migrations.dropFirst())
    where earlier.version >= later.version {
      throw PostgresError(.migration, "version \(later.version) follows \(earlier.version)")
    }
    let pool = pool
    let lease = try await pool.acquireLease(begin: nil, timeout: timeout)
    let run = MigrationRun(
      pool: pool,
      lease: lease,
      schema: schema,
      timeout: timeout
    )
    do {
      try await run.apply(migrations)
    } catch {
      // Ends the session's lock, too.
      await pool.discard(lease)
      throw error
    }
    await pool.release(lease)
  }
}

/// Applies migrations over one leased connection.
private struct MigrationRun {
  let pool: PostgresPool
  let lease: UnitID
  let schema: String
  let timeout: Duration

  private var quotedSchema: String { Self.quoted(schema) }

  static func quoted(_ name: String) -> String {
    "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
      + "\""
  }

  func apply(_ migrations: [Migration]) async throws(PostgresError) {
    // The key of an advisory lock is a number: any function of the name will do.
    let key = "oneshot.migration.\(schema)"
    _ = try await query("SELECT pg_advisory_lock(hashtextextended(\(key), 0))")
    try await createTable()
    let done = try await applied()
    for migration in migrations { try await apply(migration, done: done) }
    _ = try await query("SELECT pg_advisory_unlock(hashtextextended(\(key), 0))")
  }

  private func query(_ query: PostgresQuery) async throws(PostgresError) -> PostgresRows {
    try await pool.run([query], inTransaction: lease, timeout: timeout).only()
  }

  private func createTable() async throws(PostgresError) {
    let found = try await query("SELECT 1 FROM pg_namespace WHERE nspname = \(schema)")
    if found.isEmpty { _ = try await query("CREATE SCHEMA \(unescaped: quotedSchema)") }
    _ = try await query(
      """
      CREATE TABLE IF NOT EXISTS \(unescaped: quotedSchema).schema_migration (
        version bigint PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )
      """
    )
  }

  private func applied() async throws(PostgresError) -> [Int: String] {
    let rows = try await query(
      "SELECT version, sha256 FROM \(unescaped: quotedSchema).schema_migration"
    )
    var done: [Int: String] = [:]
    for row in rows {
      let (version, checksum) = try row.decode(Int.self, String.self)
      done[version] = checksum
    }
    return done
  }

  private func apply(
    _ migration: Migration,
    done: [Int: String]
  ) async throws(PostgresError) {
    let checksum = try await query(
      "SELECT encode(sha256(\(Array(migration.sql.utf8))), 'hex')"
    )[0].decode(at: 0, as: String.self)
    let label = "\(schema) \(migration.version) \(migration.name)"
    if let known = done[migration.version] {
      guard known == checksum else {
        throw PostgresError(.migration, "\(label) was changed after it ran")
      }
      return
    }
    if let newest = done.keys.max(), newest > migration.version {
      throw PostgresError(.migration, "\(label) comes before version \(newest), which ran already")
    }
    try await run(migration, checksum, label)
  }

  private func run(
    _ migration: Migration,
    _ checksum: String,
    _ label: String
  ) async throws(PostgresError) {
    let script = """
      BEGIN;
      SET LOCAL search_path TO \(quotedSchema), public;
      \(migration.sql)
      ;
      INSERT INTO \(quotedSchema).schema_migration (version, name, sha256)
      VALUES (\(migration.version), \(Self.literal(migration.name)), '\(checksum)');
      COMMIT;
      """
    do {
      _ = try await pool.run(.script(script), lease: lease, timeout: timeout)
    } catch {
      throw PostgresError(error.kind, "migration \(label): \(error.message)", server: error.server)
    }
    pool.logger.info("migration applied", metadata: ["migration": "\(label)"])
  }

  /// A text literal; standard_conforming_strings is on, so only quotes are doubled.
  private static func literal(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
  }
}
