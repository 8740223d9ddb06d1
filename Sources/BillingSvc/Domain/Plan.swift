internal import Foundation

/// What a plan allows at once, in a day, and in a picture.
struct PlanLimits: Sendable, Hashable {
  /// Jobs admitted in one UTC day.
  var dailyJobs: Int32
  /// Jobs unfinished at one moment.
  var concurrentJobs: Int32
  /// Longest side of a result in pixels.
  var maxSide: Int32
}

/// One plan on offer.
struct Plan: Sendable, Hashable {
  var code: String
  var name: String
  var limits: PlanLimits
  /// low, high or highest.
  var priority: String
  /// always, optional or custom.
  var watermark: String
  /// block or flag.
  var nsfwMode: String
  var faceSwapConsents: [String]
  /// no, yes or full.
  var commercialUse: String
  var consumesCredits: Bool
  /// Credits added with each month of the subscription.
  var creditsIncluded: Int64
  /// Names of the gated features that the plan opens.
  var features: [String]
}

/// The plan in force for one user.
struct Entitlements: Sendable, Hashable {
  /// Code of the plan that holds for users without a subscription.
  static let freePlan = "free"

  var planCode: String
  var limits: PlanLimits
  /// Class of the job queue, 0 (low) upwards.
  var queueClass: Int32
  var watermark: String
  var nsfwMode: String
  var faceSwapConsents: [String]
  var consumesCredits: Bool
  var features: [String]
  /// End of the paid period; nil for the free plan.
  var expiresAt: Date?

  /// Whether a paid plan runs.
  var isSubscribed: Bool { planCode != Self.freePlan }
}

/// Price of one type of job.
struct JobCost: Sendable, Hashable {
  var jobType: String
  var credits: Int64
}
