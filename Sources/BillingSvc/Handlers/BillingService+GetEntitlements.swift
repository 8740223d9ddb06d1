internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension BillingService {
  /// The plan in force for a user, and the balance.
  func getEntitlements(
    _ request: Billing.GetEntitlementsRequest,
    context: ServerContext
  ) async throws -> Billing.GetEntitlementsResponse {
    let user = try RequestFields.user(request.userId)
    let (entitlements, balance) = try await store.entitlements(of: user)
    return Billing.GetEntitlementsResponse(
      entitlements: Billing.Entitlements(entitlements),
      credits: balance
    )
  }
}
