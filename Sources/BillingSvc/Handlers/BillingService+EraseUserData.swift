internal import Foundation
internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension BillingService {
  /// Ends a user's subscriptions and separates the ledger from the person.
  func eraseUserData(
    _ request: Billing.EraseUserDataRequest,
    context: ServerContext
  ) async throws -> Billing.EraseUserDataResponse {
    let user = try RequestFields.user(request.userId)
    guard let pseudonym = UUID(uuidString: request.pseudonym), pseudonym != user.uuid else {
      throw RequestFields.invalid("pseudonym", "must be a UUID that is not the user's")
    }
    return Billing.EraseUserDataResponse(done: try await store.erase(user, as: pseudonym))
  }
}
