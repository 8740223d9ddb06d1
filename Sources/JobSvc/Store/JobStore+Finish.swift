internal import Foundation
internal import Postgres
internal import ServiceKit

/// A result as the gateway reports it.
struct NewArtifact: Sendable, Encodable {
  let id: UUID
  let position: Int
  let artifactType: String
  let objectKey: String
  let fileSize: Int64
  let mimeType: String
  let width: Int32
  let height: Int32
  /// 64 hexadecimal digits.
  let sha256: String
}

extension JobStore {
  /// Notes that a provider took the job.
  func note(provider: String, of job: ClaimedJob) async throws {
    _ = try await database.query(
      """
      WITH taken AS (
        UPDATE attempt SET state = 'running', provider = \(provider)
        WHERE job_id = \(job.id.uuid) AND number = \(job.attempt) AND state = 'leased'
        RETURNING number
      )
      SELECT \(unescaped: Self.withoutFlush) FROM taken
      """
    )
  }

  /// Stores progress with its event, and the provider if it is not known yet.
  ///
  /// Progress never falls; the stage may change without it.
  ///
  /// - Returns: False when the job is not ours any more.
  func advance(
    _ job: ClaimedJob,
    stage: JobStage,
    progress: JobProgress,
    provider: String? = nil
  ) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH moved AS (
        UPDATE job
        SET stage = \(stage.rawValue), progress = greatest(progress, \(progress.basisPoints)),
            last_event = last_event + 1
        WHERE id = \(job.id.uuid) AND state = 'running' AND lease_id = \(job.lease)
        RETURNING \(unescaped: Self.eventColumns), NULL AS event_message
      ), event AS (\(unescaped: Self.appendEvent)), taken AS (
        UPDATE attempt a SET state = 'running', provider = \(provider)::text
        FROM moved WHERE a.job_id = moved.id AND a.number = moved.attempt AND a.state = 'leased'
          AND \(provider)::text IS NOT NULL
      )
      SELECT id FROM moved
      """
    )
    return !rows.isEmpty
  }

  /// Ends a job well, with its artifacts and the order to settle its hold.
  ///
  /// A cache hit costs nothing: its hold is released.
  /// - Returns: False when the job is not ours any more.
  func succeed(
    _ job: ClaimedJob,
    artifacts: [NewArtifact],
    provider: String,
    isCacheHit: Bool
  ) async throws -> Bool {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    let list = JSONText(String(decoding: try encoder.encode(artifacts), as: UTF8.self))
    let rows = try await database.query(
      """
      WITH moved AS (
        UPDATE job
        SET state = 'succeeded', stage = 'succeeded', progress = 10000, finished_at = now(),
            lease_id = NULL, lease_owner = NULL, lease_expires_at = NULL,
            last_event = last_event + 1,
            credits_cost = CASE WHEN \(isCacheHit) THEN 0 ELSE credits_cost END
        WHERE id = \(job.id.uuid) AND state = 'running' AND lease_id = \(job.lease)
        RETURNING \(unescaped: Self.eventColumns), NULL AS event_message
      ), event AS (\(unescaped: Self.appendEvent)), ended AS (
        UPDATE attempt a SET state = 'done', provider = \(provider), ended_at = now()
        FROM moved WHERE a.job_id = moved.id AND a.number = moved.attempt
      ), results AS (
        INSERT INTO artifact (id, job_id, position, artifact_type, object_key, file_size,
                              mime_type, width, height, sha256)
        SELECT r.id, moved.id, r.position, r.artifact_type, r.object_key, r.file_size, r.mime_type,
               r.width, r.height, decode(r.sha256, 'hex')
        FROM moved, jsonb_to_recordset(\(list)) AS r (
          id uuid, position integer, artifact_type text, object_key text, file_size bigint,
          mime_type text, width integer, height integer, sha256 text)
      ), owed AS (
        INSERT INTO settlement (job_id, user_id, action, reason, due_at)
        SELECT id, user_id, CASE WHEN \(isCacheHit) THEN 'release' ELSE 'capture' END,
               CASE WHEN \(isCacheHit) THEN 3 ELSE 0 END, now()
        FROM moved
      )
      SELECT id FROM moved
      """
    )
    return !rows.isEmpty
  }

  /// Ends a job badly and orders the release of its hold.
  ///
  /// - Returns: False when the job is not ours any more.
  func fail(
    _ job: ClaimedJob,
    code: String,
    message: String,
    provider: String?
  ) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH moved AS (
        UPDATE job
        SET state = 'failed', stage = 'failed', finished_at = now(), lease_id = NULL,
            lease_owner = NULL, lease_expires_at = NULL, last_event = last_event + 1,
            error_code = \(code), error_message = \(message)
        WHERE id = \(job.id.uuid) AND state = 'running' AND lease_id = \(job.lease)
        RETURNING \(unescaped: Self.eventColumns), job.error_message AS event_message
      ), event AS (\(unescaped: Self.appendEvent)), ended AS (
        UPDATE attempt a
        SET state = 'failed', provider = coalesce(\(provider)::text, a.provider),
            error_code = moved.error_code, ended_at = now()
        FROM moved WHERE a.job_id = moved.id AND a.number = moved.attempt
      ), owed AS (
        INSERT INTO settlement (job_id, user_id, action, reason, due_at)
        SELECT id, user_id, 'release', 1, now() FROM moved
      )
      SELECT id FROM moved
      """
    )
    return !rows.isEmpty
  }

  /// Puts a job back for another attempt after `delay`.
  ///
  /// - Returns: False when the job is not ours any more.
  func retry(
    _ job: ClaimedJob,
    after delay: Duration,
    code: String,
    provider: String?
  ) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH moved AS (
        UPDATE job
        SET state = 'pending', stage = 'queued', lease_id = NULL, lease_owner = NULL,
            lease_expires_at = NULL, last_event = last_event + 1,
            available_at = now() + make_interval(secs => \(Self.seconds(delay)))
        WHERE id = \(job.id.uuid) AND state = 'running' AND lease_id = \(job.lease)
        RETURNING \(unescaped: Self.eventColumns), NULL AS event_message
      ), event AS (\(unescaped: Self.appendEvent)), ended AS (
        UPDATE attempt a
        SET state = 'failed', provider = coalesce(\(provider)::text, a.provider),
            error_code = \(code), ended_at = now()
        FROM moved WHERE a.job_id = moved.id AND a.number = moved.attempt
      )
      SELECT id FROM moved
      """
    )
    return !rows.isEmpty
  }

  /// What a cancellation found.
  struct Cancellation: Sendable {
    /// Whether this call ended the job.
    let isChanged: Bool
    /// Run that may still be going on at the gateway.
    let runID: String?
  }

  /// Cancels a waiting or running job and orders the release of its hold.
  ///
  /// - Returns: Nil when the user has no such job.
  func cancel(_ id: JobID, of user: UserID) async throws -> Cancellation? {
    let rows = try await database.query(
      """
      WITH target AS (
        SELECT id, attempt FROM job
        WHERE id = \(id.uuid) AND user_id = \(user.uuid) AND admitted_at IS NOT NULL FOR UPDATE
      ), moved AS (
        UPDATE job
        SET state = 'cancelled', stage = 'cancelled', finished_at = now(), lease_id = NULL,
            lease_owner = NULL, lease_expires_at = NULL, last_event = last_event + 1
        FROM target WHERE job.id = target.id AND job.state IN ('pending', 'running')
        RETURNING \(unescaped: Self.eventColumns), NULL AS event_message
      ), \(unescaped: Self.endCancelled)
      SELECT target.attempt, EXISTS (SELECT FROM moved) FROM target
      """
    )
    guard let row = rows.first else { return nil }
    let (attempt, isChanged) = try row.decode(Int32.self, Bool.self)
    let runID = isChanged && attempt > 0 ? RunName.text(job: id, attempt: attempt) : nil
    return Cancellation(isChanged: isChanged, runID: runID)
  }
}
