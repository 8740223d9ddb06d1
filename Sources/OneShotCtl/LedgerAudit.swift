internal import EventLoop
internal import Logging
internal import Postgres

/// What `oneshot ledger verify` checks.
enum LedgerAudit {
  /// Something that must not be: the broken rule, the row it concerns, what was found.
  struct Violation: Sendable {
    let rule: String
    let subject: String
    let detail: String

    var line: String { "\(rule)  \(subject)  \(detail)" }
  }

  private static let timeout: Duration = .seconds(300)

  /// The books in themselves: rules that BillingSvc keeps as views beside its tables.
  private static let books: PostgresQuery = """
    SELECT invariant, subject, detail FROM billing.ledger_violations
    UNION ALL SELECT invariant, subject, detail FROM billing.entitlement_violations
    ORDER BY 1, 2
    """

  /// Jobs beside their holds, seen at one moment.
  ///
  /// Each job that succeeded is charged once, none is charged that did not, none runs without a hold.
  /// A settlement that is written but not delivered yet explains a hold that is still held.
  private static let jobs: PostgresQuery = """
    WITH pair AS (
      SELECT j.id, j.user_id, j.state, h.job_id AS hold, h.user_id AS payer, h.state AS hold_state,
             h.is_tombstone, s.action, s.reason, s.settled_at
      FROM jobs.job j
      LEFT JOIN billing.credit_hold h ON h.job_id = j.id
      LEFT JOIN jobs.settlement s ON s.job_id = j.id
    ), captures AS (
      SELECT t.job_id, count(*) AS number FROM billing.ledger_transaction t
      WHERE t.kind = 'capture' GROUP BY t.job_id
    )
    SELECT 'job_without_hold' AS rule, id::text AS subject, state AS detail FROM pair
    WHERE state IN ('pending', 'running', 'succeeded') AND (hold IS NULL OR is_tombstone)
    UNION ALL
    SELECT 'hold_of_another_user', id::text, payer::text FROM pair WHERE payer <> user_id
    UNION ALL
    SELECT 'runs_after_its_hold', id::text, hold_state FROM pair
    WHERE state IN ('pending', 'running') AND hold_state <> 'held'
    UNION ALL
    SELECT 'charged_without_success', id::text, state FROM pair
    WHERE state <> 'succeeded' AND hold_state = 'captured'
    UNION ALL
    SELECT 'succeeded_without_charge', id::text, hold_state FROM pair
    -- 3: answered from the cache, which costs nothing.
    WHERE state = 'succeeded' AND hold_state IN ('released', 'expired')
      AND NOT (action = 'release' AND reason = 3)
    UNION ALL
    SELECT 'ended_without_settlement', id::text, state FROM pair
    WHERE state IN ('succeeded', 'failed', 'cancelled') AND hold_state = 'held' AND action IS NULL
    UNION ALL
    SELECT 'settled_otherwise', id::text, coalesce(hold_state, 'no hold') FROM pair
    WHERE settled_at IS NOT NULL
      AND hold_state IS DISTINCT FROM CASE action WHEN 'capture' THEN 'captured' ELSE 'released' END
    UNION ALL
    SELECT 'charged_otherwise', p.id::text, format('%s captures', coalesce(c.number, 0))
    FROM pair p LEFT JOIN captures c ON c.job_id = p.id
    WHERE coalesce(c.number, 0) <> CASE p.hold_state WHEN 'captured' THEN 1 ELSE 0 END
    ORDER BY 1, 2
    """

  /// Runs every check with the role of `url`, which may read both schemas.
  static func violations(_ url: String) async throws -> [Violation] {
    let group = try EventLoopGroup(count: 1)
    let database = try PostgresClient(
      // Functions behind the views look up their tables in the schema of BillingSvc.
      PostgresConfiguration(url: url, applicationName: "oneshot-ctl", searchPath: "billing"),
      group: group,
      logger: Logger(label: "ctl") { _ in SwiftLogNoOpLogHandler() }
    )
    let result: Result<[Violation], any Error>
    do {
      result = .success(try await run(books, database) + run(jobs, database))
    } catch {
      result = .failure(error)
    }
    await database.shutdown()
    return try result.get()
  }

  private static func run(
    _ query: PostgresQuery,
    _ database: PostgresClient
  ) async throws -> [Violation] {
    try await database.query(query, timeout: timeout).map { row in
      let (rule, subject, detail) = try row.decode(String.self, String?.self, String?.self)
      return Violation(rule: rule, subject: subject ?? "-", detail: detail ?? "")
    }
  }
}
