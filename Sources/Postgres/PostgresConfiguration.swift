/// How to reach the database, and the limits of the client.
package struct PostgresConfiguration: Sendable {
  /// `postgres://user:password@host:port/database?…`, or libpq's `key=value` form.
  ///
  /// Several hosts are tried in order; a host that starts with `/` is the directory of a socket. The
  /// server is PostgreSQL 14 or newer itself, no pooler that shares sessions between clients.
  package var url: String
  /// Shown in `pg_stat_activity`.
  package var applicationName: String
  /// The schemas that unqualified names are looked up in; nil leaves the role's own setting.
  package var searchPath: String?
  /// Bounds of everything that could grow or wait.
  package var limits: PostgresLimits

  package init(
    url: String,
    applicationName: String = "oneshot",
    searchPath: String? = nil,
    limits: PostgresLimits = PostgresLimits()
  ) {
    self.url = url
    self.applicationName = applicationName
    self.searchPath = searchPath
    self.limits = limits
  }
}

/// The named limits of a client; each loop has its own pool.
package struct PostgresLimits: Sendable {
  /// Connections of one loop's pool, 1 or more.
  ///
  /// One more is opened to cancel statements.
  package var connectionsPerLoop = 4
  /// Callers of one loop that may wait for a connection; the next is refused at once.
  package var waitersPerLoop = 1_024
  /// How long a caller waits for a connection.
  package var acquireTimeout: Duration = .milliseconds(800)
  /// How long a statement may take, from the call to its result, unless the call says otherwise.
  package var statementTimeout: Duration = .seconds(5)
  /// How long opening one connection may take.
  package var connectTimeout: Duration = .seconds(3)
  /// Statements of different callers on their way on one connection.
  package var unitsInFlight = 64
  /// Statements a connection takes before another is used, while it answers quickly.
  package var preferredDepth = 8
  /// A connection whose oldest statement waits longer takes no more while another can.
  package var slowStatement: Duration = .milliseconds(2)
  /// Prepared statements kept by one connection.
  package var preparedStatements = 256
  /// Repeats of a transaction after a conflict.
  package var transactionRetries = 3
  /// How long an abandoned statement may still run before the server is asked to cancel it.
  package var cancelDelay: Duration = .milliseconds(20)
  /// How long the server may take to cancel; then the connection is dropped.
  package var cancelTimeout: Duration = .seconds(2)
  /// Longest pause between attempts to connect.
  package var longestBackoff: Duration = .seconds(1)
  /// Notifications kept for one slow listener.
  package var bufferedNotifications = 1_024

  package init() {}
}
