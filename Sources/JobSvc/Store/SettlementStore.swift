internal import Foundation
internal import Postgres
internal import ServiceKit

/// An order to end a job's hold.
struct DueSettlement: Sendable {
  enum Action: String, Sendable {
    case capture, release
  }

  let job: JobID
  let user: UserID
  let action: Action
  /// Number of `oneshot.billing.v1.ReleaseReason`.
  let reason: Int32
  let tries: Int32
}

/// The outbox to BillingSvc.
struct SettlementStore: Sendable {
  let database: PostgresClient

  /// Orders taken at once.
  static let batch: Int32 = 64
  /// When an order whose caller vanished is due again.
  static let retrySeconds: Int32 = 10

  /// Takes orders that are due; each is due again later unless ``settle(_:outcome:)`` is called.
  func take() async throws -> [DueSettlement] {
    let rows = try await database.query(
      """
      WITH due AS (
        SELECT job_id FROM settlement WHERE settled_at IS NULL AND due_at <= now()
        ORDER BY due_at LIMIT \(Self.batch) FOR UPDATE SKIP LOCKED
      ), taken AS (
        UPDATE settlement s
        SET tries = tries + 1, due_at = now() + make_interval(secs => \(Self.retrySeconds))
        FROM due WHERE s.job_id = due.job_id
        RETURNING s.job_id, s.user_id, s.action, s.reason, s.tries
      )
      SELECT job_id, user_id, action, reason, tries, \(unescaped: JobStore.withoutFlush) FROM taken
      """
    )
    return try rows.map { row in
      var column = ColumnReader(row)
      return DueSettlement(
        job: JobID(try column.next()),
        user: UserID(try column.next()),
        action: try column.name(),
        reason: try column.next(),
        tries: try column.next()
      )
    }
  }

  /// Makes an order due after `delay`.
  func postpone(_ job: JobID, by delay: Duration) async throws {
    _ = try await database.query(
      """
      UPDATE settlement SET due_at = now() + make_interval(secs => \(JobStore.seconds(delay)))
      WHERE job_id = \(job.uuid) AND settled_at IS NULL
      """
    )
  }

  /// Marks orders as carried out, each with its outcome.
  ///
  /// One that PostgreSQL forgets is carried out again, to no effect.
  func settle(_ settled: [(job: JobID, outcome: String)]) async throws {
    guard !settled.isEmpty else { return }
    _ = try await database.query(
      """
      WITH marked AS (
        UPDATE settlement s SET settled_at = now(), outcome = done.outcome
        FROM unnest(\(settled.map(\.job.uuid))::uuid[], \(settled.map(\.outcome))::text[])
          AS done (job_id, outcome)
        WHERE s.job_id = done.job_id AND s.settled_at IS NULL
        RETURNING s.job_id
      )
      SELECT \(unescaped: JobStore.withoutFlush) FROM marked LIMIT 1
      """
    )
  }
}
