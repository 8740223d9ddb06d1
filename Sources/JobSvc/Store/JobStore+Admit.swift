internal import Foundation
internal import Postgres
internal import ServiceKit

extension JobStore {
  /// What is known of a job before its hold.
  struct NewJob: Sendable {
    var id: JobID
    var user: UserID
    var type: JobType
    var params: [UInt8]
    var ownPriority: Int32
    var clientRef: String?
    var webhookURL: String?
    /// The client's key and the fingerprint of the request, if it sent one.
    var idempotency: (key: String, fingerprint: [UInt8])?
  }

  /// What became of an attempt to store a new job.
  enum Insertion: Sendable {
    /// The job is stored as admitting.
    case stored(createdAt: Date)
    /// The user was erased.
    case userErased
    /// The key was used for the same request, which is answered already.
    case answered(response: [UInt8])
    /// The key was used for the same request, which still runs.
    case inProgress
    /// The key was used for another request.
    case keyReused
  }

  /// How long the first answer to a key is kept.
  static let idempotencyHours = 24

  /// Stores a job as admitting, with its idempotency key: one round trip.
  func insert(_ job: NewJob) async throws -> Insertion {
    guard let idempotency = job.idempotency else {
      let rows = try await database.query(insertion(of: job, from: ""))
      return try stored(rows)
    }
    // Twice at most: the key may vanish between the two statements, when its job was not admitted.
    for _ in 0..<2 {
      let results = try await database.batch([
        insertion(of: job, from: " FROM key", key: idempotency), answer(job.user, idempotency.key),
      ])
      if !results[0].isEmpty { return try stored(results[0]) }
      guard let row = results[1].first else { continue }
      let (fingerprint, response) = try row.decode([UInt8].self, [UInt8]?.self)
      guard fingerprint == idempotency.fingerprint else { return .keyReused }
      return response.map(Insertion.answered) ?? .inProgress
    }
    let erased = try await database.query(
      "SELECT 1 FROM erased_user WHERE user_id = \(job.user.uuid)"
    )
    return erased.isEmpty ? .inProgress : .userErased
  }

  private func stored(_ rows: PostgresRows) throws -> Insertion {
    guard let row = rows.first else { return .userErased }
    return .stored(createdAt: try row.decode(at: 0, as: Date.self))
  }

  private func insertion(
    of job: NewJob,
    from source: String,
    key: (key: String, fingerprint: [UInt8])? = nil
  ) -> PostgresQuery {
    var query: PostgresQuery = ""
    if let key {
      query = """
        WITH key AS (
          INSERT INTO idempotency_key AS k (user_id, key, fingerprint, job_id, created_at)
          SELECT \(job.user.uuid)::uuid, \(key.key)::text, \(key.fingerprint)::bytea,
                 \(job.id.uuid)::uuid, now()
          WHERE NOT EXISTS (SELECT FROM erased_user WHERE user_id = \(job.user.uuid)::uuid)
          ON CONFLICT (user_id, key) DO UPDATE
            SET fingerprint = excluded.fingerprint, job_id = excluded.job_id, response = NULL,
                created_at = now()
            WHERE k.created_at < now() - make_interval(hours => \(Int32(Self.idempotencyHours)))
          RETURNING job_id
        )

        """
    }
    query.append(
      unescaped: """
        INSERT INTO job (id, user_id, job_type, state, stage, params, own_priority, client_ref,
                         webhook_url, created_at)
        SELECT
        """
    )
    query.append(unescaped: " ")
    query.bind(job.id.uuid)
    query.append(unescaped: ", ")
    query.bind(job.user.uuid)
    query.append(unescaped: ", ")
    query.bind(job.type.rawValue)
    query.append(unescaped: "::text, 'admitting', 'admitting', ")
    query.bind(job.params)
    query.append(unescaped: ", ")
    query.bind(job.ownPriority)
    query.append(unescaped: ", ")
    query.bind(job.clientRef)
    query.append(unescaped: "::text, ")
    query.bind(job.webhookURL)
    query.append(unescaped: "::text, ")
    query.append(unescaped: "now()\(source)")
    query.append(unescaped: " WHERE NOT EXISTS (SELECT FROM erased_user WHERE user_id = ")
    query.bind(job.user.uuid)
    query.append(unescaped: ") RETURNING created_at")
    return query
  }

  private func answer(_ user: UserID, _ key: String) -> PostgresQuery {
    """
    SELECT fingerprint, response FROM idempotency_key
    WHERE user_id = \(user.uuid) AND key = \(key)
    """
  }

  /// What the hold decided about a job.
  struct Admission: Sendable {
    /// `oneshot.gpu.v1.JobSpec`, encoded.
    var spec: [UInt8]
    /// `oneshot.gpu.v1.OutputPolicy`, encoded.
    var policy: [UInt8]
    var queueClass: Int32
    var creditsCost: Int64
    /// `oneshot.jobs.v1.CreateJobResponse`, encoded; repeats of the key receive it.
    var response: [UInt8]
  }

  /// Puts an admitting job into the queue: one round trip.
  ///
  /// - Returns: False when the job is not admitting any more: the reconciler gave it up.
  func admit(_ job: JobID, _ admission: Admission) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH moved AS (
        UPDATE job
        SET state = 'pending', stage = 'queued', spec = \(admission.spec),
            policy = \(admission.policy), queue_class = \(admission.queueClass),
            credits_cost = \(admission.creditsCost), last_event = 1, admitted_at = now(),
            available_at = now()
        WHERE id = \(job.uuid) AND state = 'admitting'
        RETURNING \(unescaped: Self.eventColumns), NULL AS event_message
      ), event AS (\(unescaped: Self.appendEvent)), answered AS (
        UPDATE idempotency_key k SET response = \(admission.response)
        FROM moved WHERE k.job_id = moved.id
      )
      SELECT id FROM moved
      """
    )
    return !rows.isEmpty
  }

  /// Removes a job that billing refused, and its key: the client may use the key again.
  func refuse(_ job: JobID) async throws {
    _ = try await database.query(
      """
      WITH gone AS (DELETE FROM job WHERE id = \(job.uuid) AND state = 'admitting' RETURNING id)
      DELETE FROM idempotency_key k USING gone WHERE k.job_id = gone.id
      """
    )
  }

  /// Gives up admitting jobs and orders the release of holds that they may have.
  ///
  /// First the job is lost to its creator, only then is its hold released: a creator that is merely
  /// slow finds `admit` refused.
  /// - Parameters:
  ///   - only: One job, or nil for all.
  ///   - age: Jobs younger than this are left alone.
  /// - Returns: The jobs that were given up.
  /// - Throws: `PostgresError`.
  func giveUpAdmitting(only: JobID? = nil, olderThan age: Duration) async throws -> [JobID] {
    let rows = try await database.query(
      """
      WITH stale AS (
        SELECT id FROM job
        WHERE state = 'admitting' AND created_at <= now() - make_interval(secs => \(Self.seconds(age)))
          AND (\(only?.uuid)::uuid IS NULL OR id = \(only?.uuid)::uuid)
        ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED
      ), moved AS (
        UPDATE job SET state = 'cancelled', stage = 'cancelled', finished_at = now()
        FROM stale WHERE job.id = stale.id AND job.state = 'admitting'
        RETURNING job.id, job.user_id
      ), forgotten AS (
        DELETE FROM idempotency_key k USING moved WHERE k.job_id = moved.id
      ), owed AS (
        INSERT INTO settlement (job_id, user_id, action, reason, due_at)
        SELECT id, user_id, 'release', 4, now() FROM moved
      )
      SELECT id FROM moved
      """
    )
    return try rows.map { JobID(try $0.decode(at: 0, as: UUID.self)) }
  }
}

extension JobStore {
  /// Forgets keys whose answer is not promised any more.
  func forgetOldKeys() async throws {
    _ = try await database.query(
      """
      DELETE FROM idempotency_key WHERE (user_id, key) IN (
        SELECT user_id, key FROM idempotency_key
        WHERE created_at < now() - make_interval(hours => \(Int32(Self.idempotencyHours)))
        ORDER BY created_at LIMIT 500)
      """
    )
  }
}
