internal import Foundation
internal import RPC
internal import ServiceKit

extension Refusal {
  /// The refusal as the caller receives it.
  var serviceError: ServiceError {
    ServiceError(
      code: code,
      reason: reason,
      message: message,
      retryAfter: retryAfter,
      metadata: metadata,
      violations: violations
    )
  }

  private var code: StatusCode {
    switch self {
    case .daily, .concurrent: .resourceExhausted
    case .maxSide, .consent: .invalidArgument
    case .feature, .credits: .failedPrecondition
    case .ended: .aborted
    case .otherOwner: .failedPrecondition
    }
  }

  private var violations: [FieldViolation] {
    switch self {
    case .maxSide(_, let limit):
      [FieldViolation(field: "params.max_side", description: "must be at most \(limit)")]
    case .consent(_, let missing):
      missing.map { FieldViolation(field: "params.\($0)", description: "must be true") }
    default: []
    }
  }

  /// Extras of the public error body; names and numbers of ours, so nothing needs escaping.
  private var metadata: [String: String] {
    switch self {
    case .consent(let required, let missing):
      [
        "detail_json": """
        {"code":"consent_required","message":"\(message)",\
        "required_consents":\(Self.list(required)),"missing_consents":\(Self.list(missing))}
        """
      ]
    case .maxSide(let requested, let limit):
      ["extras_json": "{\"parameter\":\"max_side\",\"value\":\(requested),\"limit\":\(limit)}"]
    case .daily(let used, let limit, let resetsAt, _):
      [
        "extras_json": """
        {"limit":\(limit),"used":\(used),"resets_at":"\(RFC3339.text(resetsAt))"}
        """
      ]
    case .concurrent(let running, let limit):
      ["extras_json": "{\"limit\":\(limit),\"used\":\(running)}"]
    case .credits(let cost, let balance):
      ["extras_json": "{\"credits_required\":\(cost),\"credits_available\":\(balance)}"]
    default: [:]
    }
  }

  private static func list(_ names: [String]) -> String {
    "[" + names.map { "\"\($0)\"" }.joined(separator: ",") + "]"
  }
}
