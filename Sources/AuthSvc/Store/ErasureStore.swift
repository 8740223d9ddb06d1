internal import Foundation
internal import Postgres
internal import RPC
internal import ServiceKit

/// Erasures in PostgreSQL; the row is the outbox to the other services, and the proof.
struct ErasureStore: Sendable {
  let users: UserStore
  /// Older sessions have no access token left.
  let tokenLifetime: Duration

  /// Erasures taken at once.
  private static let batch: Int32 = 16
  /// When an erasure whose process vanished is taken again; longer than any of its calls.
  private static let leaseSeconds: Int32 = 30
  /// Clocks of the edges may differ by this.
  private static let leewaySeconds: Int64 = 60

  /// Removes the account of a user and stores what follows from it, once.
  ///
  /// - Returns: The user's erasure; nil when there is and was no such user.
  func request(_ user: UserID, id: UUID, pseudonym: UUID) async throws -> Erasure? {
    let seconds = Double(tokenLifetime.components.seconds + Self.leewaySeconds)
    let results = try await users.batch([
      """
      SELECT erase_account(\(id), \(user.uuid), \(pseudonym), make_interval(secs => \(seconds)),
                           \(users.now))
      """,
      "SELECT id, step, requested_at, completed_at FROM erasure WHERE user_id = \(user.uuid)",
    ])
    return try results[1].first.map { row in
      let (id, step, requested, completed) = try row.decode(
        UUID.self,
        String.self,
        Date.self,
        Date?.self
      )
      return Erasure(
        id: id,
        user: user,
        step: try Self.step(step),
        requestedAt: requested,
        completedAt: completed
      )
    }
  }

  /// Takes erasures that are due; each is due again later unless it goes on or is postponed.
  func take() async throws -> [DueErasure] {
    let rows = try await users.query(
      """
      UPDATE erasure e
      SET tries = tries + 1,
          due_at = coalesce(\(users.now), clock_timestamp()) + make_interval(secs => \(Self.leaseSeconds))
      FROM (
        SELECT id FROM erasure
        WHERE completed_at IS NULL AND due_at <= coalesce(\(users.now), clock_timestamp())
        ORDER BY due_at LIMIT \(Self.batch) FOR UPDATE SKIP LOCKED
      ) due
      WHERE e.id = due.id
      RETURNING e.id, e.user_id, e.step, e.pseudonym, e.sessions, e.tries
      """
    )
    return try rows.map { row in
      let (id, user, step, pseudonym, sessions, tries) = try row.decode(
        UUID.self,
        UUID.self,
        String.self,
        UUID.self,
        [UUID].self,
        Int32.self
      )
      return DueErasure(
        id: id,
        user: UserID(user),
        step: try Self.step(step),
        pseudonym: pseudonym,
        sessions: sessions.map(SessionID.init),
        tries: tries
      )
    }
  }

  /// Notes that a step is completed; the next one is due at once.
  func pass(_ id: UUID, from step: Erasure.Step, to next: Erasure.Step) async throws {
    _ = try await users.query(
      """
      UPDATE erasure
      SET step = \(next.rawValue), sessions = '{}', tries = 0,
          due_at = coalesce(\(users.now), clock_timestamp()),
          pseudonym = CASE WHEN \(next == .done) THEN NULL ELSE pseudonym END,
          completed_at = CASE WHEN \(next == .done) THEN coalesce(\(users.now), clock_timestamp()) END
      WHERE id = \(id) AND step = \(step.rawValue)
      """
    )
  }

  /// Makes an erasure due after `delay`.
  func postpone(_ id: UUID, by delay: Duration) async throws {
    let seconds = Double(delay.components.seconds)
    _ = try await users.query(
      """
      UPDATE erasure
      SET due_at = coalesce(\(users.now), clock_timestamp()) + make_interval(secs => \(seconds))
      WHERE id = \(id) AND completed_at IS NULL
      """
    )
  }

  private static func step(_ name: String) throws -> Erasure.Step {
    guard let step = Erasure.Step(rawValue: name) else {
      throw ServiceError.internalError(cause: UnknownStep(name: name))
    }
    return step
  }

  private struct UnknownStep: Error {
    let name: String
  }
}
