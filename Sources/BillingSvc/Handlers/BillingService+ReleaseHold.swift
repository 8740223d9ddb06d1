internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension BillingService {
  /// Gives back what was held for a job, once; before its hold, leaves a mark that refuses it.
  func releaseHold(
    _ request: Billing.ReleaseHoldRequest,
    context: ServerContext
  ) async throws -> Billing.ReleaseHoldResponse {
    let job = try RequestFields.job(request.jobId)
    let user = try RequestFields.user(request.userId)
    let uncounted = try isUncounted(request.reason)
    guard let settlement = try await store.release(job, of: user, uncounted: uncounted) else {
      throw Refusal.otherOwner.serviceError
    }
    return Billing.ReleaseHoldResponse(
      state: Billing.HoldState(settlement.state),
      creditsReleased: settlement.isChanged ? settlement.amount : 0,
      changed: settlement.isChanged
    )
  }

  /// Whether the job leaves the day's count.
  private func isUncounted(_ reason: Billing.ReleaseReason) throws(ServiceError) -> Bool {
    switch reason {
    case .failed, .cancelled: false
    case .cacheHit, .notAdmitted: true
    default: throw RequestFields.invalid("reason", "must be one of the known reasons")
    }
  }
}
