/// Why a statement, a transaction or the client failed.
///
/// The description is meant for logs: operation, SQLSTATE, constraint, the server's message and the
/// statement's text. It never holds bound values; the server's DETAIL and CONTEXT, which do, are not
/// kept, and quoted parts of class 22 messages (data exceptions) are cut out.
package struct PostgresError: Error, Sendable, CustomStringConvertible {
  /// The classes that callers tell apart.
  package enum Kind: String, Sendable {
    /// The connection URL or a limit is wrong.
    case configuration
    /// No connection could be made in time; nothing was sent.
    case unavailable
    /// The connection ended after the statement was sent: whether it took effect is unknown.
    case connectionLost
    /// Every connection was busy until the acquire timeout, or too many callers wait.
    case poolExhausted
    /// The statement did not end in time; the server was asked to cancel it.
    case timeout
    /// The waiting task was cancelled; the server was asked to cancel the statement.
    case cancelled
    /// The server refused the statement; see ``PostgresError/sqlState``.
    case server
    /// COMMIT answered ROLLBACK, because an earlier statement had failed.
    case notCommitted
    /// A value cannot be sent, such as text with a NUL.
    case invalidValue
    /// A column is not what the program reads it as.
    case decoding
    /// The client was shut down, or the transaction has ended.
    case closed
    /// A migration is missing, out of order, or was changed after it ran.
    case migration
    /// libpq did something this module does not understand; the connection was dropped.
    case library
  }

  private let storage: Storage

  // One reference, so that a thrown error and a `Result` stay one word large.
  private final class Storage: Sendable {
    let kind: Kind
    let message: String
    let server: PostgresServerFields?
    let sql: String?

    init(kind: Kind, message: String, server: PostgresServerFields?, sql: String?) {
      self.kind = kind
      self.message = message
      self.server = server
      self.sql = sql
    }
  }

  init(
    _ kind: Kind,
    _ message: String,
    server: PostgresServerFields? = nil,
    sql: String? = nil
  ) {
    storage = Storage(kind: kind, message: message, server: server, sql: sql)
  }

  /// The class of the failure.
  package var kind: Kind { storage.kind }
  /// What happened, in the words of the server or of this module.
  package var message: String { storage.message }
  /// Five characters such as `23505`, when the server sent any.
  package var sqlState: String? { storage.server?.sqlState }
  /// The violated constraint.
  package var constraint: String? { storage.server?.constraint }
  /// The table that the error concerns.
  package var table: String? { storage.server?.table }
  /// The column that the error concerns.
  package var column: String? { storage.server?.column }
  /// The statement's text without values.
  package var sql: String? { storage.sql }

  var server: PostgresServerFields? { storage.server }

  /// Whether a row with the same unique key exists; `constraint` limits the answer to one.
  package func isUniqueViolation(of constraint: String? = nil) -> Bool {
    isViolation("23505", constraint)
  }

  /// Whether a referenced row is missing, or a row is still referenced.
  package func isForeignKeyViolation(of constraint: String? = nil) -> Bool {
    isViolation("23503", constraint)
  }

  /// Whether a CHECK constraint refused a row.
  package func isCheckViolation(of constraint: String? = nil) -> Bool {
    isViolation("23514", constraint)
  }

  private func isViolation(_ state: String, _ name: String?) -> Bool {
    sqlState == state && (name == nil || constraint == name)
  }

  /// Whether the database as a whole was out of reach, rather than this statement wrong.
  package var isUnavailable: Bool {
    switch kind {
    case .unavailable, .connectionLost, .poolExhausted, .timeout: true
    case .server: isConnectionFailure || sqlState?.hasPrefix("53") == true
    default: false
    }
  }

  /// Serialization failure or deadlock: the server rolled back and asks for another try.
  var isConflict: Bool { sqlState == "40001" || sqlState == "40P01" }

  /// The session ended: shutdown, crash, or a broken connection.
  var isConnectionFailure: Bool {
    if kind == .connectionLost { return true }
    guard let sqlState else { return false }
    return sqlState.hasPrefix("57P0") || sqlState.hasPrefix("08")
  }

  package var description: String {
    var text = "postgres \(kind.rawValue)"
    if let sqlState { text += " \(sqlState)" }
    if let constraint { text += " constraint \(constraint)" }
    text += ": \(message)"
    if let sql { text += " [\(Self.oneLine(sql))]" }
    return text
  }

  /// The first 200 characters with runs of white space made one space.
  private static func oneLine(_ sql: String) -> String {
    let words = sql.prefix(400).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return words.count > 200 ? words.prefix(200) + "…" : words
  }

  func with(sql: String) -> PostgresError {
    PostgresError(kind, message, server: server, sql: sql)
  }
}

/// The fields of an error that the server sent.
struct PostgresServerFields: Sendable {
  var sqlState: String
  var constraint: String?
  var table: String?
  var column: String?
  /// The server's C function that raised the error, which tells apart cases of one SQLSTATE.
  var routine: String?
}
