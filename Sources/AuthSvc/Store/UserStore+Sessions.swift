internal import Foundation
internal import Postgres
internal import RPC
internal import ServiceKit

/// A session that stands.
struct ActiveSession: Sendable, Hashable {
  var user: UserID
  var role: String
  var expiresAt: Date
}

extension UserStore {
  /// Opens a session with its first refresh token.
  ///
  /// - Returns: False when the user was erased a moment ago.
  func open(
    _ session: SessionID,
    of user: UserID,
    token: RefreshToken,
    origin: SessionOrigin
  ) async throws -> Bool {
    do {
      _ = try await database.query(
        openingStatement(session, of: user, token: token, origin: origin)
      )
      return true
    } catch {
      // The session refers to an account that is gone.
      if error.sqlState == "23503" { return false }
      throw ServiceError(error)
    }
  }

  func openingStatement(
    _ session: SessionID,
    of user: UserID,
    token: RefreshToken,
    origin: SessionOrigin
  ) -> PostgresQuery {
    """
    SELECT open_session(\(session.uuid), \(user.uuid), \(origin.address), \(origin.userAgent),
                        \(token.hash), make_interval(secs => \(seconds(lifetimes.refreshToken))),
                        make_interval(secs => \(seconds(lifetimes.session))), \(now))
    """
  }

  /// Spends a refresh token and stores its successor; a token used twice ends its session.
  func rotate(_ token: RefreshToken, to successor: RefreshToken) async throws -> RefreshOutcome {
    let rows = try await query(
      """
      SELECT outcome, session, user_id, user_role
      FROM rotate_refresh_token(\(token.hash), \(successor.hash),
                                make_interval(secs => \(seconds(lifetimes.refreshToken))), \(now))
      """
    )
    guard let row = rows.first else { return .invalid }
    let (outcome, session, user, role) = try row.decode(
      String.self,
      UUID?.self,
      UUID?.self,
      String?.self
    )
    switch (outcome, session, user, role) {
    case ("rotated", let session?, let user?, let role?):
      return .rotated(session: SessionID(session), user: UserID(user), role: role)
    case ("reused", let session?, _, _):
      return .reused(session: SessionID(session))
    case ("expired", _, _, _):
      return .expired
    default:
      return .invalid
    }
  }

  /// Ends a session; false when it had ended or never was.
  func revoke(_ session: SessionID, reason: RevocationReason) async throws -> Bool {
    let rows = try await query(
      """
      UPDATE user_session
      SET revoked_at = coalesce(\(now), clock_timestamp()), revoked_reason = \(reason.rawValue)
      WHERE id = \(session.uuid) AND revoked_at IS NULL
      """
    )
    return rows.affectedCount > 0
  }

  /// The session, if it stands.
  func activeSession(_ session: SessionID) async throws -> ActiveSession? {
    let rows = try await query(
      """
      SELECT s.user_id, u.role, s.expires_at
      FROM user_session s JOIN user_account u ON u.id = s.user_id
      WHERE s.id = \(session.uuid) AND s.revoked_at IS NULL
        AND s.expires_at > coalesce(\(now), clock_timestamp())
      """
    )
    return try rows.first.map { row in
      let (user, role, expires) = try row.decode(UUID.self, String.self, Date.self)
      return ActiveSession(user: UserID(user), role: role, expiresAt: expires)
    }
  }

  /// Sessions that ended within `age` and of which the edges have not been told.
  func unpublishedRevocations(within age: Duration, limit: Int32) async throws -> [SessionID] {
    let rows = try await query(
      """
      SELECT id FROM user_session
      WHERE revoked_at > coalesce(\(now), clock_timestamp()) - make_interval(secs => \(seconds(age)))
        AND NOT revocation_published
      ORDER BY revoked_at LIMIT \(limit)
      """
    )
    return try rows.map { SessionID(try $0.decode(at: 0)) }
  }

  /// Notes that the edges have been told.
  func markPublished(_ sessions: [SessionID]) async throws {
    _ = try await query(
      """
      UPDATE user_session SET revocation_published = true
      WHERE id = ANY(\(sessions.map(\.uuid))) AND revoked_at IS NOT NULL
      """
    )
  }

  /// Removes up to `limit` refresh tokens that expired long ago, and reports how many.
  ///
  /// Spent tokens stay until their own expiry, since a second use must be recognised.
  func removeExpiredTokens(limit: Int32) async throws -> Int {
    let rows = try await query(
      """
      DELETE FROM refresh_token WHERE hash IN (
        SELECT hash FROM refresh_token
        WHERE expires_at < coalesce(\(now), clock_timestamp()) - interval '7 days' LIMIT \(limit))
      """
    )
    return rows.affectedCount
  }

  private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds)
  }
}
