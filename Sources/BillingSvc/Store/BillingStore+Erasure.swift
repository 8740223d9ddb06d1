internal import Foundation
internal import Postgres
internal import RPC
internal import ServiceKit

extension BillingStore {
  /// Ends a user's subscriptions and puts `pseudonym` in the user's place everywhere.
  ///
  /// - Returns: False, with nothing changed, while a job's credits are held.
  func erase(_ user: UserID, as pseudonym: UUID) async throws -> Bool {
    let rows = try await query("SELECT erase_user(\(user.uuid), \(pseudonym), \(now))")
    return try rows.first?.decode(at: 0, as: Bool.self) ?? false
  }

  /// What a failed statement is to the caller.
  static func serviceError(_ error: PostgresError) -> ServiceError {
    guard error.constraint == "user_not_erased" else { return ServiceError(error) }
    return ServiceError(
      code: .unauthenticated,
      reason: "INVALID_TOKEN",
      message: "The token is not valid. Please sign in again."
    )
  }
}
