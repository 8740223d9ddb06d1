internal import Foundation
internal import ServiceKit

/// What a job asks for when it wants to be admitted.
struct AdmissionRequest: Sendable, Hashable {
  var job: JobID
  var user: UserID
  /// Canonical name of the pipeline.
  var jobType: String
  /// Longest side that the client asked for, nil when it left the choice to the plan.
  var maxSide: Int32?
  /// Gated features that the request uses.
  var features: [String]
  /// Consents that the request gave, by field name.
  var consents: [String]
}

/// Where a hold stands: `held → captured | released | expired`.
enum HoldState: String, Sendable, Hashable {
  case held, captured, released, expired
}

/// A job that passed every gate.
struct Admission: Sendable, Hashable {
  var state: HoldState
  /// Credits set aside, 0 when the subscription pays.
  var amount: Int64
  /// Spendable credits that are left.
  var balance: Int64
  var expiresAt: Date
  var entitlements: Entitlements
  /// Whether an earlier call had made the hold.
  var isRepeated: Bool
}

/// What came of a request for admission.
enum AdmissionOutcome: Sendable, Hashable {
  case admitted(Admission)
  case refused(Refusal)
}

/// How a hold ended, or that it had ended before.
struct Settlement: Sendable, Hashable {
  /// The state after the call.
  var state: HoldState
  /// Credits that the hold was about.
  var amount: Int64
  /// Whether this call made the change.
  var isChanged: Bool
}
