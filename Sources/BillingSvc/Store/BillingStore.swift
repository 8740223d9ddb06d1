internal import Foundation
internal import Postgres
internal import RPC
internal import ServiceKit

/// The ledger, holds, plans and subscriptions in PostgreSQL.
///
/// Whatever moves credits is one function call in the database, one transaction, serialised for each
/// user by a lock on the user's account. Extensions hold the statements of one aggregate each.
struct BillingStore: Sendable {
  /// Numbers that the functions of the database take from the configuration.
  struct Settings: Sendable {
    /// Credits that a new account opens with.
    var startingCredits: Int64 = 10
    /// After this a hold that nobody ended gives its credits back.
    ///
    /// A last resort: JobSvc ends its jobs, and with them their holds, within a day.
    var holdLifetime: Duration = .seconds(7 * 24 * 60 * 60)
  }

  let database: PostgresClient
  let settings: Settings
  /// Nil lets the database's clock decide, so that all processes agree; tests set their own.
  let clock: (any WallClock)?

  /// Wraps a pool whose search path is the billing schema.
  init(database: PostgresClient, settings: Settings, clock: (any WallClock)? = nil) {
    self.database = database
    self.settings = settings
    self.clock = clock
  }

  /// The moment to pass to the database's functions; NULL stands for its own clock.
  var now: Date? { clock?.now() }

  /// Runs one statement; failures become the service's own error.
  func query(_ query: PostgresQuery) async throws(ServiceError) -> PostgresRows {
    do {
      return try await database.query(query)
    } catch {
      throw Self.serviceError(error)
    }
  }

  /// Runs statements as one transaction; failures become the service's own error.
  func batch(_ queries: [PostgresQuery]) async throws(ServiceError) -> [PostgresRows] {
    do {
      return try await database.batch(queries)
    } catch {
      throw Self.serviceError(error)
    }
  }
}

/// Why a row is not what the program reads it as.
struct UnexpectedRow: Error, Sendable, CustomStringConvertible {
  let description: String
}

/// Reads the columns of a row one after the other.
struct ColumnReader {
  private let row: PostgresRow
  private var position = 0

  init(_ row: PostgresRow) {
    self.row = row
  }

  mutating func next<Value: PostgresDecodable>(
    _ type: Value.Type = Value.self
  ) throws(PostgresError) -> Value {
    defer { position += 1 }
    return try row.decode(at: position, as: type)
  }
}
