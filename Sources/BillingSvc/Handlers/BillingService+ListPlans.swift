internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension BillingService {
  /// The plans on offer and the price list of jobs.
  func listPlans(
    _ request: Billing.ListPlansRequest,
    context: ServerContext
  ) async throws -> Billing.ListPlansResponse {
    let plans = try await store.plans()
    let costs = try await store.jobCosts()
    return Billing.ListPlansResponse(
      plans: plans.map(Billing.Plan.init),
      jobCosts: costs.map { Billing.JobCost(jobType: $0.jobType, credits: $0.credits) }
    )
  }
}
