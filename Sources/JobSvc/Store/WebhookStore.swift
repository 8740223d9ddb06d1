internal import Foundation
internal import Postgres
internal import ServiceKit

/// A notice that this process may send until its lease ends.
struct ClaimedWebhook: Sendable {
  let id: UUID
  let job: JobID
  let user: UserID
  let url: String
  /// Scheme, host and port.
  let origin: String
  /// From 1.
  let attempt: Int32
  let lease: UUID

  /// What receivers see.
  var publicID: String { WebhookStore.publicID(id) }
}

/// How a notice stands.
struct StoredWebhook: Sendable {
  enum State: String, Sendable {
    case pending, delivered, dead
  }

  let id: UUID
  let job: JobID
  let state: State
  let attempts: Int32
  let dueAt: Date
  let lastStatus: Int32?
  let lastError: String?
  let endedAt: Date?
}

/// The outbox of notices.
///
/// Rows are written where jobs end, see the trigger `enqueue_webhook`.
struct WebhookStore: Sendable {
  let database: PostgresClient

  /// How much may be under way at once, in all processes together.
  struct Limits: Sendable {
    /// To one receiver.
    var perOrigin: Int32
    /// Of one user.
    var perUser: Int32
  }

  /// Due notices that one claim looks at.
  private static let headLimit: Int32 = 256
  /// Claims of all processes follow one another, or each would count without the others' claims.
  private static let claimLock: Int64 = 0x6f6e_6573_686f_7401

  static func publicID(_ id: UUID) -> String { "evt_" + id.uuidString.lowercased() }

  /// Claims up to `count` notices that are due, oldest first.
  ///
  /// Receivers and users that are busy already are passed over, so that a receiver that hangs costs
  /// one slot and keeps nobody else waiting. Of what is claimed here, the attempt is counted.
  func claim(_ count: Int, limits: Limits, lease: Duration) async throws -> [ClaimedWebhook] {
    let results = try await database.batch([
      "SELECT pg_advisory_xact_lock(\(Self.claimLock))",
      claimStatement(Int32(clamping: count), limits, lease),
    ])
    return try results[1].map { row in
      var column = ColumnReader(row)
      return ClaimedWebhook(
        id: try column.next(),
        job: JobID(try column.next()),
        user: UserID(try column.next()),
        url: try column.next(),
        origin: try column.next(),
        attempt: try column.next(),
        lease: try column.next()
      )
    }
  }

  private func claimStatement(
    _ count: Int32,
    _ limits: Limits,
    _ lease: Duration
  ) -> PostgresQuery {
    """
    WITH busy AS (
      SELECT origin, user_id FROM webhook_delivery WHERE leased_until > now()
    ), busy_origin AS (
      SELECT origin, count(*) AS jobs FROM busy GROUP BY origin
    ), busy_user AS (
      SELECT user_id, count(*) AS jobs FROM busy GROUP BY user_id
    ), head AS (
      SELECT id, origin, user_id, due_at FROM webhook_delivery
      WHERE state = 'pending' AND due_at <= now()
        AND (leased_until IS NULL OR leased_until <= now())
        AND origin NOT IN (SELECT origin FROM busy_origin WHERE jobs >= \(limits.perOrigin))
        AND user_id NOT IN (SELECT user_id FROM busy_user WHERE jobs >= \(limits.perUser))
      ORDER BY due_at, id LIMIT \(Self.headLimit)
    ), ranked AS (
      SELECT head.id, head.due_at,
             coalesce(o.jobs, 0) + row_number() OVER (
               PARTITION BY head.origin ORDER BY head.due_at, head.id) AS origin_turn,
             coalesce(u.jobs, 0) + row_number() OVER (
               PARTITION BY head.user_id ORDER BY head.due_at, head.id) AS user_turn
      FROM head LEFT JOIN busy_origin o USING (origin) LEFT JOIN busy_user u USING (user_id)
    ), chosen AS (
      SELECT d.id FROM webhook_delivery d JOIN ranked USING (id)
      WHERE d.state = 'pending' AND ranked.origin_turn <= \(limits.perOrigin)
        AND ranked.user_turn <= \(limits.perUser)
      ORDER BY ranked.due_at, d.id LIMIT \(count) FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE webhook_delivery d
    SET attempts = attempts + 1, lease_id = gen_random_uuid(),
        leased_until = now() + make_interval(secs => \(JobStore.seconds(lease)))
    FROM chosen WHERE d.id = chosen.id
    RETURNING d.id, d.job_id, d.user_id, d.url, d.origin, d.attempts, d.lease_id
    """
  }

  /// Stores what came of an attempt, unless its lease was lost.
  ///
  /// - Returns: False when the notice is not ours any more.
  func conclude(
    _ webhook: ClaimedWebhook,
    _ outcome: WebhookRetryRule.Outcome,
    _ decision: WebhookRetryRule.Decision
  ) async throws -> Bool {
    var status: Int32?
    var failure: String?
    switch outcome {
    case .answered(let code, _): status = Int32(clamping: code)
    case .failed(let word): failure = word
    }
    var state = StoredWebhook.State.pending
    var delay = Duration.zero
    switch decision {
    case .delivered: state = .delivered
    case .dead: state = .dead
    case .retry(let after): delay = after
    }
    let rows = try await database.query(
      """
      UPDATE webhook_delivery
      SET state = \(state.rawValue), due_at = now() + make_interval(secs => \(JobStore.seconds(delay))),
          lease_id = NULL, leased_until = NULL, last_status = \(status), last_error = \(failure),
          ended_at = CASE WHEN \(state != .pending) THEN now() END
      WHERE id = \(webhook.id) AND lease_id = \(webhook.lease)
      """
    )
    return rows.affectedCount > 0
  }

  /// The notice of one of the user's jobs.
  func webhook(of job: JobID, user: UserID) async throws -> StoredWebhook? {
    let rows = try await database.query(
      """
      SELECT \(unescaped: Self.columns) FROM webhook_delivery
      WHERE job_id = \(job.uuid) AND user_id = \(user.uuid)
      """
    )
    return try rows.first.map(Self.webhook)
  }

  /// Makes a notice due again, with all its attempts; one that is being sent is left alone.
  ///
  /// - Returns: Nil when the user has no such notice.
  func replay(_ job: JobID, user: UserID) async throws -> StoredWebhook? {
    _ = try await database.query(
      """
      UPDATE webhook_delivery
      SET state = 'pending', attempts = 0, due_at = now(), ended_at = NULL, lease_id = NULL,
          leased_until = NULL
      WHERE job_id = \(job.uuid) AND user_id = \(user.uuid)
        AND (leased_until IS NULL OR leased_until <= now())
      """
    )
    return try await webhook(of: job, user: user)
  }

  /// Notices that are still to be sent.
  func backlog() async throws -> Int64 {
    let rows = try await database.query(
      "SELECT count(*) FROM webhook_delivery WHERE state = 'pending'"
    )
    return try rows.first?.decode(at: 0, as: Int64.self) ?? 0
  }

  private static let columns =
    "id, job_id, state, attempts, due_at, last_status, last_error, ended_at"

  private static func webhook(_ row: PostgresRow) throws -> StoredWebhook {
    var column = ColumnReader(row)
    return StoredWebhook(
      id: try column.next(),
      job: JobID(try column.next()),
      state: try column.name(),
      attempts: try column.next(),
      dueAt: try column.next(),
      lastStatus: try column.next(),
      lastError: try column.next(),
      endedAt: try column.next()
    )
  }
}
