internal import Foundation

/// Why a job is not admitted, with the numbers that its message needs.
///
/// The gates stand in this order: consent, plan features, parameters, daily use, concurrent use,
/// credits. The first that refuses decides.
enum Refusal: Sendable, Hashable {
  /// Consents that the plan wants for a face swap are missing.
  case consent(required: [String], missing: [String])
  /// The request uses features that the plan does not open.
  case feature
  /// A parameter is beyond the plan.
  case maxSide(requested: Int32, limit: Int32)
  /// The day's jobs are used up.
  case daily(used: Int32, limit: Int32, resetsAt: Date, secondsLeft: Int64)
  /// Too many jobs are unfinished.
  case concurrent(running: Int32, limit: Int32)
  /// The balance does not cover the cost.
  case credits(cost: Int64, balance: Int64)
  /// The job's hold ended before; it cannot be held again.
  case ended(HoldState)
  /// The job's hold belongs to another user: a mistake of the caller.
  case otherOwner
}

extension Refusal {
  /// The stable word of the public error list.
  var reason: String {
    switch self {
    case .consent: "CONSENT_REQUIRED"
    case .feature: "PAYMENT_REQUIRED"
    case .maxSide: "PARAMETER_VIOLATION"
    case .daily: "DAILY_LIMIT_EXCEEDED"
    case .concurrent: "CONCURRENT_LIMIT_EXCEEDED"
    case .credits: "NOT_ENOUGH_CREDITS"
    case .ended: "HOLD_RELEASED"
    case .otherOwner: "HOLD_CONFLICT"
    }
  }

  /// The sentence for the user; clients know some of these to the letter.
  var message: String {
    switch self {
    case .consent(_, let missing):
      Self.consentSentence(missing.first ?? "consent")
    case .feature:
      "This feature requires a Pro or Premium subscription"
    case .maxSide(let requested, let limit):
      "Parameter 'max_side' value \(requested) exceeds plan limit of \(limit)"
    case .daily(let used, let limit, _, _):
      "Daily job limit exceeded (\(used)/\(limit)). "
        + "Please upgrade your plan or wait until tomorrow."
    case .concurrent(let running, let limit):
      "Concurrent job limit exceeded (\(running)/\(limit)). "
        + "Please wait for a job to finish or upgrade your plan."
    case .credits(let cost, let balance):
      "Not enough credits: this job costs \(cost), the balance is \(balance)."
    case .ended(let state):
      "The hold of this job was \(state.rawValue) before."
    case .otherOwner:
      "The hold of this job belongs to another user."
    }
  }

  /// Makes `Face swap consent is required.` of `face_swap_consent`.
  private static func consentSentence(_ name: String) -> String {
    let words = name.split(separator: "_").joined(separator: " ")
    return words.prefix(1).uppercased() + words.dropFirst() + " is required."
  }

  /// When another try may succeed without a change of plan.
  var retryAfter: Duration? {
    switch self {
    case .daily(_, _, _, let secondsLeft): .seconds(max(1, secondsLeft))
    case .concurrent: .seconds(5)
    default: nil
    }
  }
}
