internal import Foundation
internal import Postgres
internal import ServiceKit

/// A job that this process may run until its lease ends.
struct ClaimedJob: Sendable {
  let id: JobID
  let user: UserID
  let type: JobType
  /// `oneshot.gpu.v1.JobSpec`, encoded.
  let spec: [UInt8]
  /// `oneshot.gpu.v1.OutputPolicy`, encoded.
  let policy: [UInt8]
  /// From 1.
  let attempt: Int32
  let lease: UUID
  /// Whether somebody waits for the notice of its end.
  let hasWebhook: Bool
  /// Providers that failed the job before.
  let failedProviders: [String]

  /// Name of the attempt at the gateway: a second claim of the same attempt finds its run again.
  var runID: String { RunName.text(job: id, attempt: attempt) }
}

/// Names of runs.
enum RunName {
  /// `<job>-<attempt>`.
  static func text(job: JobID, attempt: Int32) -> String { "\(job)-\(attempt)" }
}

extension JobStore {
  /// Claims up to `limit` available jobs for one process.
  ///
  /// The order is: class of the plan, then turns (each user's first job before anybody's second,
  /// running jobs counted), then age. Plans bound a user's unfinished jobs, so the head of the queue
  /// that is looked at always holds many users. Each job is leased until now + `lease`.
  /// - Returns: Claimed jobs; empty when nothing is available.
  func claim(limit: Int, owner: UUID, lease: Duration) async throws -> [ClaimedJob] {
    let rows = try await database.query(
      """
      WITH head AS (
        SELECT id, user_id, queue_class, own_priority, admitted_at FROM job
        WHERE state = 'pending' AND available_at <= now()
        ORDER BY queue_class DESC, admitted_at, id LIMIT 256
      ), busy AS (
        SELECT user_id, count(*) AS jobs FROM job
        WHERE state = 'running' AND user_id IN (SELECT user_id FROM head) GROUP BY user_id
      ), ranked AS (
        SELECT head.id, head.queue_class, head.admitted_at,
               coalesce(busy.jobs, 0) + row_number() OVER (
                 PARTITION BY head.user_id
                 ORDER BY head.own_priority DESC, head.admitted_at, head.id) AS turn
        FROM head LEFT JOIN busy USING (user_id)
      ), chosen AS (
        SELECT job.id FROM job JOIN ranked USING (id)
        WHERE job.state = 'pending'
        ORDER BY ranked.queue_class DESC, ranked.turn, ranked.admitted_at, job.id
        LIMIT \(Int32(limit)) FOR UPDATE OF job SKIP LOCKED
      ), moved AS (
        UPDATE job
        SET state = 'running', stage = 'preparing',
            attempt = attempt + CASE WHEN resumes THEN 0 ELSE 1 END, resumes = false,
            lease_id = gen_random_uuid(), lease_owner = \(owner),
            lease_expires_at = now() + make_interval(secs => \(Self.seconds(lease))),
            started_at = coalesce(started_at, now()), last_event = last_event + 1
        FROM chosen WHERE job.id = chosen.id AND job.state = 'pending'
        RETURNING \(unescaped: Self.eventColumns), NULL AS event_message, job.job_type, job.spec,
                  job.policy, job.lease_id, job.webhook_url IS NOT NULL AS has_webhook
      ), event AS (\(unescaped: Self.appendEvent)), begun AS (
        INSERT INTO attempt (job_id, number, state, started_at)
        SELECT id, attempt, 'leased', now() FROM moved
        ON CONFLICT (job_id, number) DO UPDATE SET state = 'leased', ended_at = NULL
      )
      SELECT id, user_id, job_type, spec, policy, attempt, lease_id, has_webhook,
             ARRAY(SELECT DISTINCT a.provider FROM attempt a
                   WHERE a.job_id = moved.id AND a.state = 'failed' AND a.provider IS NOT NULL)
      FROM moved
      """
    )
    return try rows.map { row in
      var column = ColumnReader(row)
      return ClaimedJob(
        id: JobID(try column.next()),
        user: UserID(try column.next()),
        type: try column.name(),
        spec: try column.next(),
        policy: try column.next(),
        attempt: try column.next(),
        lease: try column.next(),
        hasWebhook: try column.next(),
        failedProviders: try column.next()
      )
    }
  }

  /// Renews leases; those missing in the answer are lost.
  func renew(_ leases: [UUID], lease: Duration) async throws -> Set<UUID> {
    let rows = try await database.query(
      """
      UPDATE job SET lease_expires_at = now() + make_interval(secs => \(Self.seconds(lease)))
      WHERE lease_id = ANY(\(leases)) AND state = 'running' RETURNING lease_id
      """
    )
    return Set(try rows.map { try $0.decode(at: 0, as: UUID.self) })
  }

  /// Returns the jobs of a process that stops: others go on with the same attempts.
  func handBack(owner: UUID) async throws -> [JobID] {
    var returned: [JobID] = []
    while true {
      let batch = try await requeueLost(ownedBy: owner)
      returned += batch
      guard batch.count == Self.requeueLimit else { return returned }
    }
  }

  /// Takes jobs from processes that renew no more, and fails those that lost too many.
  ///
  /// - Returns: Jobs that changed.
  func reapExpired() async throws -> [JobID] {
    let failed = try await database.query(
      """
      WITH moved AS (
        UPDATE job
        SET state = 'failed', stage = 'failed', finished_at = now(), lease_id = NULL,
            lease_owner = NULL, lease_expires_at = NULL, last_event = last_event + 1,
            error_code = 'PROVIDER_FAILED', error_message = 'The job could not be completed.'
        WHERE state = 'running' AND lease_expires_at < now()
          AND losses >= \(Int32(RetryRule.maxLosses))
        RETURNING \(unescaped: Self.eventColumns), job.error_message AS event_message
      ), event AS (\(unescaped: Self.appendEvent)), ended AS (
        UPDATE attempt a SET state = 'lost', ended_at = now()
        FROM moved WHERE a.job_id = moved.id AND a.number = moved.attempt
      ), owed AS (
        INSERT INTO settlement (job_id, user_id, action, reason, due_at)
        SELECT id, user_id, 'release', 1, now() FROM moved
      )
      SELECT id FROM moved
      """
    )
    let requeued = try await requeueLost(ownedBy: nil)
    return try failed.map { JobID(try $0.decode(at: 0, as: UUID.self)) } + requeued
  }

  /// Fails jobs that still wait long after their creation and orders the release of their holds.
  ///
  /// - Returns: Jobs that failed.
  func failOverdue(olderThan age: Duration) async throws -> [JobID] {
    let rows = try await database.query(
      """
      WITH overdue AS (
        SELECT id FROM job
        WHERE state = 'pending' AND created_at < now() - make_interval(secs => \(Self.seconds(age)))
        ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED
      ), moved AS (
        UPDATE job
        SET state = 'failed', stage = 'failed', finished_at = now(), last_event = last_event + 1,
            error_code = 'PROVIDER_UNAVAILABLE',
            error_message = 'The job could not be processed at the moment.'
        FROM overdue WHERE job.id = overdue.id AND job.state = 'pending'
        RETURNING \(unescaped: Self.eventColumns), job.error_message AS event_message
      ), event AS (\(unescaped: Self.appendEvent)), ended AS (
        UPDATE attempt a SET ended_at = now()
        FROM moved WHERE a.job_id = moved.id AND a.number = moved.attempt AND a.ended_at IS NULL
      ), owed AS (
        INSERT INTO settlement (job_id, user_id, action, reason, due_at)
        SELECT id, user_id, 'release', 1, now() FROM moved
      )
      SELECT id FROM moved
      """
    )
    return try rows.map { JobID(try $0.decode(at: 0, as: UUID.self)) }
  }

  /// Jobs that one statement requeues at most.
  private static let requeueLimit = 100

  /// Requeues some jobs of one process, or, without one, some whose lease has run out.
  private func requeueLost(ownedBy owner: UUID?) async throws -> [JobID] {
    let rows = try await database.query(
      """
      WITH lost AS (
        SELECT id FROM job WHERE state = 'running' AND CASE
          WHEN \(owner)::uuid IS NULL THEN lease_expires_at < now()
          ELSE lease_owner = \(owner)::uuid END
        LIMIT \(Int32(Self.requeueLimit)) FOR UPDATE SKIP LOCKED
      ), moved AS (
        UPDATE job
        SET state = 'pending', stage = 'queued', resumes = true,
            losses = losses + \(Int32(owner == nil ? 1 : 0)), lease_id = NULL,
            lease_owner = NULL, lease_expires_at = NULL, available_at = now(),
            last_event = last_event + 1
        FROM lost WHERE job.id = lost.id AND job.state = 'running'
        RETURNING \(unescaped: Self.eventColumns), NULL AS event_message
      ), event AS (\(unescaped: Self.appendEvent)), ended AS (
        UPDATE attempt a SET state = 'lost'
        FROM moved WHERE a.job_id = moved.id AND a.number = moved.attempt
      )
      SELECT id FROM moved
      """
    )
    return try rows.map { JobID(try $0.decode(at: 0, as: UUID.self)) }
  }
}
