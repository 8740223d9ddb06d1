internal import Foundation
internal import OneShotAPI
internal import Postgres
internal import Protobuf

/// Remembers results by the content of their inputs, for each user apart.
struct ResultCache: Sendable {
  let database: PostgresClient

  /// Entries older than this are not used: their artifacts may be gone soon.
  private static let days: Int32 = 14

  /// The result of the same work for the same user.
  func find(user: UUID, hash: [UInt8]) async throws -> Gpu.RunSucceeded? {
    let rows = try await database.query(
      """
      UPDATE result_cache SET used_at = now()
      WHERE user_id = \(user) AND content_hash = \(hash)
        AND created_at > now() - make_interval(days => \(Self.days))
      RETURNING result
      """
    )
    guard let row = rows.first else { return nil }
    return try Gpu.RunSucceeded(decoding: row.decode(at: 0, as: [UInt8].self))
  }

  /// Remembers a result; a newer one of the same content takes its place.
  ///
  /// - Returns: False when the user was erased: nothing may be kept of the result.
  func store(_ result: Gpu.RunSucceeded, user: UUID, hash: [UInt8]) async throws -> Bool {
    let rows = try await database.query(
      """
      INSERT INTO result_cache (user_id, content_hash, provider, result, created_at, used_at)
      SELECT \(user)::uuid, \(hash)::bytea, \(result.provider)::text, \(result.encoded())::bytea,
             now(), now()
      WHERE NOT EXISTS (SELECT FROM erased_user WHERE user_id = \(user)::uuid)
      ON CONFLICT (user_id, content_hash) DO UPDATE
        SET provider = excluded.provider, result = excluded.result, created_at = now(),
            used_at = now()
      """
    )
    return rows.affectedCount > 0
  }

  /// Forgets a user's results, and takes none from now on.
  func erase(user: UUID) async throws(PostgresError) {
    _ = try await database.batch([
      """
      INSERT INTO erased_user (user_id, erased_at) VALUES (\(user), now())
      ON CONFLICT (user_id) DO NOTHING
      """,
      "DELETE FROM result_cache WHERE user_id = \(user)",
    ])
  }

  /// Forgets a result whose artifacts are gone.
  func forget(user: UUID, hash: [UInt8]) async throws {
    _ = try await database.query(
      "DELETE FROM result_cache WHERE user_id = \(user) AND content_hash = \(hash)"
    )
  }

  /// Removes old entries.
  func forgetOld() async throws {
    _ = try await database.query(
      """
      DELETE FROM result_cache WHERE (user_id, content_hash) IN (
        SELECT user_id, content_hash FROM result_cache
        WHERE created_at < now() - make_interval(days => \(Self.days)) LIMIT 500)
      """
    )
  }
}
