internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

extension BillingService {
  /// What a user has used of the plan today.
  func getUsage(
    _ request: Billing.GetUsageRequest,
    context: ServerContext
  ) async throws -> Billing.GetUsageResponse {
    let usage = try await store.usage(of: try RequestFields.user(request.userId))
    return Billing.GetUsageResponse(
      planCode: usage.planCode,
      limits: Billing.PlanLimits(usage.limits),
      jobsToday: usage.jobsToday,
      concurrentJobs: usage.concurrentJobs,
      resetsAt: GoogleProtobuf.Timestamp(usage.resetsAt)
    )
  }
}
