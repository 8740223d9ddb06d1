internal import Foundation
internal import Postgres
internal import ServiceKit

/// Places in the object store that were promised to users.
struct UploadStore: Sendable {
  let database: PostgresClient

  /// A promise to store.
  struct NewUpload: Sendable {
    let id: UploadID
    let user: UserID
    let objectKey: String
    let filename: String
    let contentType: String
    let declaredSize: Int64?
    let lifetime: Duration
  }

  /// Stores a promise.
  ///
  /// - Returns: False when the user was erased.
  func insert(_ upload: NewUpload) async throws -> Bool {
    let rows = try await database.query(
      """
      INSERT INTO upload (id, user_id, object_key, filename, content_type, declared_size,
                          created_at, expires_at)
      SELECT \(upload.id.uuid)::uuid, \(upload.user.uuid)::uuid, \(upload.objectKey)::text,
             \(upload.filename)::text, \(upload.contentType)::text,
             \(upload.declaredSize)::bigint, now(),
             now() + make_interval(secs => \(JobStore.seconds(upload.lifetime)))
      WHERE NOT EXISTS (SELECT FROM erased_user WHERE user_id = \(upload.user.uuid))
      """
    )
    return rows.affectedCount > 0
  }

  /// Keys of those uploads that are `user`'s.
  func keys(of ids: [UploadID], user: UserID) async throws -> [UploadID: String] {
    let rows = try await database.query(
      """
      SELECT id, object_key FROM upload
      WHERE id = ANY(\(ids.map(\.uuid))) AND user_id = \(user.uuid)
      """
    )
    var keys: [UploadID: String] = [:]
    for row in rows {
      let (id, key) = try row.decode(UUID.self, String.self)
      keys[UploadID(id)] = key
    }
    return keys
  }
}
