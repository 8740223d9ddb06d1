internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension BillingService {
  /// The caller's credits and what is held for unfinished jobs.
  func getCredits(
    _ request: Billing.GetCreditsRequest,
    context: ServerContext
  ) async throws -> Billing.GetCreditsResponse {
    let credits = try await store.credits(of: try RequestFields.principal(context))
    return Billing.GetCreditsResponse(
      credits: credits.balance,
      balance: credits.balance,
      held: credits.held,
      holds: credits.holds.map(Billing.CreditHold.init)
    )
  }
}
