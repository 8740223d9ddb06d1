internal import Foundation
internal import Postgres
internal import ServiceKit

/// Credits of one user.
struct Credits: Sendable, Hashable {
  /// Spendable.
  var balance: Int64
  /// Set aside for unfinished jobs.
  var held: Int64
  var holds: [Hold]

  /// What one unfinished job holds.
  struct Hold: Sendable, Hashable {
    var job: JobID
    var amount: Int64
    var createdAt: Date
    var expiresAt: Date
  }
}

/// Where granted credits come from; the raw value is the ledger's word.
enum GrantKind: String, Sendable {
  case bonus, purchase, refund
}

extension BillingStore {
  /// Rows of open holds that one answer lists.
  private static let listedHolds: Int32 = 100

  /// The user's credits; opens the account of a user who has none.
  func credits(of user: UserID) async throws -> Credits {
    let results = try await batch([
      "SELECT balance_of(\(user.uuid), \(settings.startingCredits), \(now))",
      """
      SELECT h.balance FROM ledger_account h
      WHERE h.owner_id = \(user.uuid) AND h.kind = 'held'
      """,
      """
      SELECT job_id, amount, created_at, expires_at FROM credit_hold
      WHERE user_id = \(user.uuid) AND state = 'held'
      ORDER BY created_at DESC, job_id LIMIT \(Self.listedHolds)
      """,
    ])
    guard results.count == 3, let available = results[0].first, let held = results[1].first else {
      throw UnexpectedRow(description: "credits: no account")
    }
    return Credits(
      balance: try available.decode(at: 0),
      held: try held.decode(at: 0),
      holds: try results[2].map { row in
        let (job, amount, created, expires) = try row.decode(
          UUID.self,
          Int64.self,
          Date.self,
          Date.self
        )
        return Credits.Hold(
          job: JobID(job),
          amount: amount,
          createdAt: created,
          expiresAt: expires
        )
      }
    )
  }

  /// Adds credits, once for each user, kind and reference.
  ///
  /// - Returns: The balance after it, and whether this call made the change.
  func grant(
    _ amount: Int64,
    to user: UserID,
    kind: GrantKind,
    reference: String
  ) async throws -> (balance: Int64, isChanged: Bool) {
    let rows = try await query(
      """
      SELECT balance, changed
      FROM grant_credits(\(user.uuid), \(kind.rawValue), \("grant:" + reference), \(amount),
                         \(settings.startingCredits), \(now))
      """
    )
    guard let row = rows.first else { throw UnexpectedRow(description: "grant_credits: no row") }
    let (balance, changed) = try row.decode(Int64.self, Bool.self)
    return (balance, changed)
  }

  /// Invariants that do not hold; a healthy ledger has none.
  func violations(limit: Int32 = 1_000) async throws -> [LedgerViolation] {
    let rows = try await query(
      """
      SELECT invariant, subject, detail FROM ledger_violations
      UNION ALL SELECT invariant, subject, detail FROM entitlement_violations LIMIT \(limit)
      """
    )
    return try rows.map { row in
      let (invariant, subject, detail) = try row.decode(String.self, String.self, String?.self)
      return LedgerViolation(invariant: invariant, subject: subject, detail: detail ?? "")
    }
  }

}

/// One invariant of the ledger that does not hold.
struct LedgerViolation: Sendable, Hashable {
  /// Name of the invariant.
  var invariant: String
  /// The row it concerns.
  var subject: String
  var detail: String
}
