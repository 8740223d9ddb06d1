internal import Foundation
internal import Postgres
internal import ServiceKit

/// Jobs and everything that hangs on them, in PostgreSQL.
///
/// Each change of state is one statement that guards the state before (and the lease, where there is
/// one), appends the event and writes the outbox row: it happens whole or not at all. That nothing
/// was changed is a normal outcome and is returned, not thrown. Leases live by the database's clock.
struct JobStore: Sendable {
  let database: PostgresClient

  /// Wraps a pool whose search path is the jobs schema.
  init(database: PostgresClient) {
    self.database = database
  }

  /// An `interval` expression's argument.
  static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }

  /// Lets a statement's commit not wait for the disk; selected once, beside the result.
  ///
  /// For what PostgreSQL may forget when it crashes, because it is found out or done again: never for
  /// acceptance, ends, money, or events, whose numbers watchers count on. The services' own crashes
  /// lose nothing by it.
  static let withoutFlush = "set_config('synchronous_commit', 'off', true)"

  /// The event that a statement's `moved` rows leave behind.
  ///
  /// `moved` must return id, last_event, state, stage, progress, error_code.
  static let appendEvent = """
    INSERT INTO job_event
      (job_id, number, kind, state, stage, progress, message, error_code, created_at)
    SELECT id, last_event,
           CASE WHEN state = 'pending' THEN 'queued' WHEN state = 'running' THEN 'progress'
                ELSE state END,
           state, stage, progress, event_message, error_code, now()
    FROM moved
    """

  /// What follows `moved` in a statement that cancels jobs which were admitted: their events, the end
  /// of their attempts, and the orders to give their holds back.
  static let endCancelled = """
    event AS (\(appendEvent)), ended AS (
      UPDATE attempt a SET state = 'cancelled', ended_at = now()
      FROM moved WHERE a.job_id = moved.id AND a.number = moved.attempt AND a.ended_at IS NULL
    ), owed AS (
      INSERT INTO settlement (job_id, user_id, action, reason, due_at)
      SELECT id, user_id, 'release', 2, now() FROM moved
    )
    """

  /// What `moved` must return for ``appendEvent``, of the table called `job`.
  static let eventColumns = """
    job.id, job.user_id, job.attempt, job.last_event, job.state, job.stage, job.progress,
    job.error_code
    """
}

/// Why a stored value cannot be read.
struct UnexpectedRow: Error, CustomStringConvertible {
  let description: String
}

/// Reads the columns of a row one after the other.
struct ColumnReader {
  private let row: PostgresRow
  /// The column that is read next.
  private(set) var position: Int

  init(_ row: PostgresRow, from position: Int = 0) {
    self.row = row
    self.position = position
  }

  mutating func next<Value: PostgresDecodable>(
    _ type: Value.Type = Value.self
  ) throws -> Value {
    defer { position += 1 }
    return try row.decode(at: position, as: type)
  }

  /// A text column that holds the raw value of an enumeration.
  mutating func name<Name: RawRepresentable>(
    _ type: Name.Type = Name.self
  ) throws -> Name where Name.RawValue == String {
    let text = try next(String.self)
    guard let value = Name(rawValue: text) else {
      throw UnexpectedRow(description: "unknown \(Name.self) in the database: \(text)")
    }
    return value
  }
}
