internal import Foundation
internal import Postgres
internal import RPC
internal import ServiceKit

/// Users and sessions in PostgreSQL.
struct UserStore: Sendable {
  /// How long tokens and sessions live.
  struct Lifetimes: Sendable {
    /// Of a refresh token that is not used.
    var refreshToken: Duration = .seconds(7 * 86_400)
    /// Of a session, however often it is refreshed.
    var session: Duration = .seconds(90 * 86_400)
  }

  let database: PostgresClient
  let lifetimes: Lifetimes
  /// Nil lets the database's clock decide, so that all processes agree; tests set their own.
  let clock: (any WallClock)?

  /// Wraps a pool whose search path is the auth schema.
  init(database: PostgresClient, lifetimes: Lifetimes, clock: (any WallClock)? = nil) {
    self.database = database
    self.lifetimes = lifetimes
    self.clock = clock
  }

  /// The moment to pass to the database's functions; NULL stands for its own clock.
  var now: Date? { clock?.now() }

  /// Runs one statement; failures become the service's own error.
  func query(_ query: PostgresQuery) async throws(ServiceError) -> PostgresRows {
    do {
      return try await database.query(query)
    } catch {
      throw ServiceError(error)
    }
  }

  /// Runs statements as one transaction; failures become the service's own error.
  func batch(_ queries: [PostgresQuery]) async throws(ServiceError) -> [PostgresRows] {
    do {
      return try await database.batch(queries)
    } catch {
      throw ServiceError(error)
    }
  }

  /// Whether an account with this address exists.
  func isTaken(_ address: EmailAddress) async throws -> Bool {
    let rows = try await query(
      "SELECT EXISTS (SELECT FROM user_account WHERE email_canonical = \(address.canonical))"
    )
    return try rows.first?.decode(at: 0, as: Bool.self) ?? false
  }

  /// Stores a new user together with the first session.
  ///
  /// - Returns: The user; nil when the address is taken.
  func create(
    _ id: UserID,
    address: EmailAddress,
    name: String?,
    passwordHash: String,
    session: SessionID,
    token: RefreshToken,
    origin: SessionOrigin
  ) async throws -> User? {
    let insert: PostgresQuery = """
      INSERT INTO user_account (id, email, email_canonical, name, password_hash, created_at,
                                updated_at)
      SELECT \(id.uuid), \(address.text), \(address.canonical), \(name), \(passwordHash), at, at
      FROM (SELECT coalesce(\(now), clock_timestamp()) AS at) moment
      RETURNING created_at
      """
    do {
      let results = try await database.batch([
        insert, openingStatement(session, of: id, token: token, origin: origin),
      ])
      guard let row = results.first?.first else { return nil }
      return User(
        id: id,
        email: address.text,
        name: name,
        role: "user",
        createdAt: try row.decode(at: 0)
      )
    } catch {
      if error.isUniqueViolation(of: "email_once") { return nil }
      throw ServiceError(error)
    }
  }

  /// The user with this address, and what the password is checked against.
  func credential(for address: EmailAddress) async throws -> Credential? {
    let rows = try await query(
      """
      SELECT id, email, name, role, created_at, password_hash FROM user_account
      WHERE email_canonical = \(address.canonical)
      """
    )
    return try rows.first.map { row in
      Credential(user: try Self.user(row), passwordHash: try row.decode(at: 5))
    }
  }

  /// One user by id.
  func user(_ id: UserID) async throws -> User? {
    let rows = try await query(
      "SELECT id, email, name, role, created_at FROM user_account WHERE id = \(id.uuid)"
    )
    return try rows.first.map(Self.user)
  }

  private static func user(_ row: PostgresRow) throws -> User {
    let (id, email, name, role, created) = try row.decode(
      UUID.self,
      String.self,
      String?.self,
      String.self,
      Date.self
    )
    return User(id: UserID(id), email: email, name: name, role: role, createdAt: created)
  }
}
