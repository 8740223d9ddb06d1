import OneShotAPI
import Protobuf
import RPC
import Synchronization

/// A BillingSvc in memory that keeps the rules of holds, and answers as it is told.
final class FakeBilling: Billing.BillingServiceHandler {
  struct State {
    var holds: [String: Billing.HoldState] = [:]
    var reasons: [String: Billing.ReleaseReason] = [:]
    var captures = 0
    var holdCalls: [Billing.HoldCreditsRequest] = []
    /// What every hold answers instead.
    var refusal: ServiceError?
  }

  let state = Mutex(State())

  func refuse(with error: ServiceError?) { state.withLock { $0.refusal = error } }
  var holds: [String: Billing.HoldState] { state.withLock { $0.holds } }

  static let plan = Billing.Entitlements.with {
    $0.planCode = "free"
    $0.limits = .with {
      $0.dailyJobs = 5
      $0.concurrentJobs = 2
      $0.maxSide = 512
    }
    $0.watermark = "always"
    $0.nsfwMode = "block"
  }

  func holdCredits(
    _ request: Billing.HoldCreditsRequest,
    context: ServerContext
  ) async throws -> Billing.HoldCreditsResponse {
    try state.withLock { state in
      state.holdCalls.append(request)
      if let refusal = state.refusal { throw refusal }
      guard state.holds[request.jobId] != .released else {
        throw ServiceError(code: .aborted, reason: "HOLD_RELEASED", message: "too late")
      }
      state.holds[request.jobId] = .held
      return .with {
        $0.jobId = request.jobId
        $0.state = .held
        $0.creditsCost = 1
        $0.entitlements = Self.plan
      }
    }
  }

  func captureHold(
    _ request: Billing.CaptureHoldRequest,
    context: ServerContext
  ) async throws -> Billing.CaptureHoldResponse {
    state.withLock { state in
      if state.holds[request.jobId] == .held {
        state.holds[request.jobId] = .captured
        state.captures += 1
      }
      return .with { $0.state = state.holds[request.jobId] ?? .unspecified }
    }
  }

  func releaseHold(
    _ request: Billing.ReleaseHoldRequest,
    context: ServerContext
  ) async throws -> Billing.ReleaseHoldResponse {
    state.withLock { state in
      // A release before its hold leaves a tombstone, which is a released hold here.
      if state.holds[request.jobId] != .captured { state.holds[request.jobId] = .released }
      state.reasons[request.jobId] = request.reason
      return .with { $0.state = state.holds[request.jobId] ?? .unspecified }
    }
  }

  func getUsage(
    _ request: Billing.GetUsageRequest,
    context: ServerContext
  ) async throws -> Billing.GetUsageResponse {
    .with {
      $0.planCode = "free"
      $0.limits = Self.plan.limits
      $0.jobsToday = 6
      $0.concurrentJobs = 1
    }
  }

  // Not asked by JobSvc.
  func getCredits(
    _ request: Billing.GetCreditsRequest,
    context: ServerContext
  ) async throws -> Billing.GetCreditsResponse { throw Self.unexpected }
  func listPlans(
    _ request: Billing.ListPlansRequest,
    context: ServerContext
  ) async throws -> Billing.ListPlansResponse { throw Self.unexpected }
  func mockEvent(
    _ request: Billing.MockEventRequest,
    context: ServerContext
  ) async throws -> Billing.MockEventResponse { throw Self.unexpected }
  func grantCredits(
    _ request: Billing.GrantCreditsRequest,
    context: ServerContext
  ) async throws -> Billing.GrantCreditsResponse { throw Self.unexpected }
  func getEntitlements(
    _ request: Billing.GetEntitlementsRequest,
    context: ServerContext
  ) async throws -> Billing.GetEntitlementsResponse { throw Self.unexpected }

  func eraseUserData(
    _ request: Billing.EraseUserDataRequest,
    context: ServerContext
  ) async throws -> Billing.EraseUserDataResponse { throw Self.unexpected }

  private static var unexpected: ServiceError { .runtime(.unimplemented, "not asked by JobSvc") }
}
