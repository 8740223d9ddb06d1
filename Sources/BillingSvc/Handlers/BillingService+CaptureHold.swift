internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension BillingService {
  /// Spends what was held for a job that succeeded, once.
  func captureHold(
    _ request: Billing.CaptureHoldRequest,
    context: ServerContext
  ) async throws -> Billing.CaptureHoldResponse {
    let job = try RequestFields.job(request.jobId)
    let user = try RequestFields.user(request.userId)
    guard let settlement = try await store.capture(job, of: user) else {
      throw ServiceError(
        code: .notFound,
        reason: "NOT_FOUND",
        message: "This job has no hold of this user."
      )
    }
    if settlement.state != .captured {
      logger.warning(
        "capture of a hold that had ended",
        metadata: ["job_id": "\(job)", "state": "\(settlement.state.rawValue)"]
      )
    }
    return Billing.CaptureHoldResponse(
      state: Billing.HoldState(settlement.state),
      creditsSpent: settlement.state == .captured ? settlement.amount : 0,
      changed: settlement.isChanged
    )
  }
}
