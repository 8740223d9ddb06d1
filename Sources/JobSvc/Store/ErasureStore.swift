internal import Foundation
internal import Postgres
internal import ServiceKit

/// Removes what is known of a user, in steps that may be repeated and interrupted anywhere.
struct ErasureStore: Sendable {
  let database: PostgresClient

  /// Rows whose objects are removed together.
  private static let page: Int32 = 100
  /// An upload that began while its address was valid may end so much later.
  private static let uploadMargin = "interval '2 minutes'"

  /// Something with objects in the store.
  struct Upload: Sendable {
    let id: UUID
    let objectKey: String
    /// Whether nothing can be stored there any more.
    let isClosed: Bool
  }

  /// A job that has ended and is settled.
  struct EndedJob: Sendable {
    let id: JobID
    let objectKeys: [String]
  }

  /// Takes nothing of the user's in from now on, and ends their jobs: one transaction.
  ///
  /// - Returns: Jobs that this call ended and that somebody may watch.
  func begin(_ user: UserID) async throws -> [JobID] {
    let results = try await database.batch([
      """
      INSERT INTO erased_user (user_id, erased_at) VALUES (\(user.uuid), now())
      ON CONFLICT (user_id) DO NOTHING
      """,
      """
      WITH target AS (
        SELECT id FROM job
        WHERE user_id = \(user.uuid) AND admitted_at IS NOT NULL AND state IN ('pending', 'running')
        ORDER BY id FOR UPDATE
      ), moved AS (
        UPDATE job
        SET state = 'cancelled', stage = 'cancelled', finished_at = now(), lease_id = NULL,
            lease_owner = NULL, lease_expires_at = NULL, last_event = last_event + 1,
            webhook_url = NULL
        FROM target WHERE job.id = target.id AND job.state IN ('pending', 'running')
        RETURNING \(unescaped: JobStore.eventColumns), NULL AS event_message
      ), \(unescaped: JobStore.endCancelled)
      SELECT id FROM moved
      """,
      """
      WITH moved AS (
        UPDATE job SET state = 'cancelled', stage = 'cancelled', finished_at = now()
        WHERE user_id = \(user.uuid) AND state = 'admitting'
        RETURNING id, user_id
      )
      INSERT INTO settlement (job_id, user_id, action, reason, due_at)
      SELECT id, user_id, 'release', 4, now() FROM moved
      """,
      "DELETE FROM idempotency_key WHERE user_id = \(user.uuid)",
    ])
    return try results[1].map { JobID(try $0.decode(at: 0, as: UUID.self)) }
  }

  // MARK: Uploads

  /// Uploads whose object may be there: new ones, and those whose address has run out since.
  func uploads(of user: UserID) async throws -> [Upload] {
    let rows = try await database.query(
      """
      SELECT id, object_key, expires_at < now() - \(unescaped: Self.uploadMargin) FROM upload
      WHERE user_id = \(user.uuid)
        AND (filename <> '' OR expires_at < now() - \(unescaped: Self.uploadMargin))
      ORDER BY id LIMIT \(Self.page)
      """
    )
    return try rows.map { row in
      let (id, key, isClosed) = try row.decode(UUID.self, String.self, Bool.self)
      return Upload(id: id, objectKey: key, isClosed: isClosed)
    }
  }

  /// Notes that the objects are gone.
  ///
  /// A row whose address still works stays, without the user's file name, until the object was removed
  /// for the last time.
  func didRemove(_ uploads: [Upload]) async throws {
    let closed = uploads.filter(\.isClosed).map(\.id)
    let open = uploads.filter { !$0.isClosed }.map(\.id)
    _ = try await database.batch([
      "DELETE FROM upload WHERE id = ANY(\(closed))",
      "UPDATE upload SET filename = '' WHERE id = ANY(\(open))",
    ])
  }

  // MARK: Jobs

  /// Jobs that have ended and owe BillingSvc nothing.
  func endedJobs(of user: UserID) async throws -> [EndedJob] {
    let rows = try await database.query(
      """
      WITH ended AS (
        SELECT id FROM job
        WHERE user_id = \(user.uuid) AND admitted_at IS NOT NULL AND finished_at IS NOT NULL
        UNION ALL
        SELECT id FROM job
        WHERE user_id = \(user.uuid) AND state = 'cancelled' AND admitted_at IS NULL
      )
      SELECT id, ARRAY(SELECT object_key FROM artifact WHERE job_id = ended.id) FROM ended
      WHERE NOT EXISTS (
        SELECT FROM settlement s WHERE s.job_id = ended.id AND s.settled_at IS NULL)
      LIMIT \(Self.page)
      """
    )
    return try rows.map { row in
      let (id, keys) = try row.decode(UUID.self, [String].self)
      return EndedJob(id: JobID(id), objectKeys: keys)
    }
  }

  /// Removes jobs whose objects are gone, with all that belongs to them.
  func remove(_ jobs: [EndedJob]) async throws {
    let ids = jobs.map(\.id.uuid)
    _ = try await database.batch([
      "DELETE FROM settlement WHERE job_id = ANY(\(ids)) AND settled_at IS NOT NULL",
      "DELETE FROM job WHERE id = ANY(\(ids)) AND finished_at IS NOT NULL",
    ])
  }

  // MARK: End

  /// Whether nothing is left, and nothing that began before the user was refused can still come.
  func isDone(_ user: UserID) async throws -> Bool {
    let rows = try await database.query(
      """
      SELECT EXISTS (SELECT FROM job WHERE user_id = \(user.uuid) AND admitted_at IS NOT NULL)
          OR EXISTS (SELECT FROM job WHERE user_id = \(user.uuid) AND state = 'cancelled'
                                       AND admitted_at IS NULL)
          OR EXISTS (SELECT FROM job WHERE user_id = \(user.uuid) AND state = 'admitting')
          OR EXISTS (SELECT FROM upload WHERE user_id = \(user.uuid))
          OR EXISTS (SELECT FROM idempotency_key WHERE user_id = \(user.uuid))
          OR NOT EXISTS (SELECT FROM erased_user
                         WHERE user_id = \(user.uuid)
                           AND written_by < pg_snapshot_xmin(pg_current_snapshot()))
      """
    )
    return try rows.first?.decode(at: 0, as: Bool.self) == false
  }
}
