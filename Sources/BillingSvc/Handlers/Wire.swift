internal import Foundation
internal import OneShotAPI
internal import Protobuf
internal import ServiceKit

// Between the domain and its messages.

extension Billing.PlanLimits {
  init(_ limits: PlanLimits) {
    self.init(
      dailyJobs: limits.dailyJobs,
      concurrentJobs: limits.concurrentJobs,
      maxSide: limits.maxSide
    )
  }
}

extension Billing.Plan {
  init(_ plan: Plan) {
    self.init(
      code: plan.code,
      name: plan.name,
      limits: Billing.PlanLimits(plan.limits),
      priority: plan.priority,
      watermark: plan.watermark,
      nsfwMode: plan.nsfwMode,
      faceSwapConsents: plan.faceSwapConsents,
      commercialUse: plan.commercialUse,
      consumesCredits: plan.consumesCredits,
      creditsIncluded: plan.creditsIncluded,
      features: plan.features
    )
  }
}

extension Billing.Entitlements {
  init(_ entitlements: Entitlements) {
    self.init(
      planCode: entitlements.planCode,
      limits: Billing.PlanLimits(entitlements.limits),
      priority: entitlements.queueClass,
      watermark: entitlements.watermark,
      nsfwMode: entitlements.nsfwMode,
      faceSwapConsents: entitlements.faceSwapConsents,
      consumesCredits: entitlements.consumesCredits,
      features: entitlements.features,
      subscriptionStatus: entitlements.isSubscribed ? "active" : "inactive",
      expiresAt: entitlements.expiresAt.map(GoogleProtobuf.Timestamp.init)
    )
  }
}

extension Billing.HoldState {
  init(_ state: HoldState) {
    self =
      switch state {
      case .held: .held
      case .captured: .captured
      case .released: .released
      case .expired: .expired
      }
  }
}

extension Billing.CreditHold {
  init(_ hold: Credits.Hold) {
    self.init(
      jobId: "\(hold.job)",
      amount: hold.amount,
      createdAt: GoogleProtobuf.Timestamp(hold.createdAt),
      expiresAt: GoogleProtobuf.Timestamp(hold.expiresAt)
    )
  }
}
