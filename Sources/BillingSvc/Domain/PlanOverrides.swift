internal import Foundation

/// Figures of plans that the operator's configuration replaces, written as JSON:
/// `{"free": {"daily_jobs": 1000, "concurrent_jobs": 50}, "pro": {"consumes_credits": true}}`.
struct PlanOverrides: Sendable, Hashable {
  /// The replaced figures of one plan; nil leaves the plan's own.
  struct Values: Sendable, Hashable {
    var dailyJobs: Int32?
    var concurrentJobs: Int32?
    var maxSide: Int32?
    var creditsIncluded: Int64?
    var consumesCredits: Bool?
  }

  /// Why a text is no list of overrides.
  struct ParseFailure: Error, Hashable {
    let message: String
  }

  /// By plan code.
  private(set) var values: [String: Values] = [:]

  /// No overrides.
  init() {}

  /// Parses the configuration's form.
  init(parsing text: String) throws(ParseFailure) {
    let plans: [String: [String: Figure]]
    do {
      plans = try JSONDecoder().decode([String: [String: Figure]].self, from: Data(text.utf8))
    } catch {
      throw ParseFailure(message: "expected a JSON object of plans with their figures")
    }
    for (plan, figures) in plans {
      var changed = Values()
      for (field, figure) in figures.sorted(by: { $0.key < $1.key }) {
        try changed.set(field, to: figure)
      }
      values[plan] = changed
    }
  }

  /// A whole number, true or false.
  fileprivate enum Figure: Decodable {
    case number(Int64)
    case flag(Bool)

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let flag = try? value.decode(Bool.self) {
        self = .flag(flag)
      } else {
        self = .number(try value.decode(Int64.self))
      }
    }
  }
}

extension PlanOverrides.Values {
  fileprivate mutating func set(
    _ field: String,
    to figure: PlanOverrides.Figure
  ) throws(PlanOverrides.ParseFailure) {
    switch (field, figure) {
    case ("daily_jobs", .number(let value)): dailyJobs = try Self.limit(value, field)
    case ("concurrent_jobs", .number(let value)): concurrentJobs = try Self.limit(value, field)
    case ("max_side", .number(let value)): maxSide = try Self.limit(value, field)
    case ("credits_included", .number(let value)) where value >= 0: creditsIncluded = value
    case ("consumes_credits", .flag(let value)): consumesCredits = value
    default: throw .init(message: "a plan has no figure '\(field)' with such a value")
    }
  }

  private static func limit(
    _ value: Int64,
    _ field: String
  ) throws(PlanOverrides.ParseFailure) -> Int32 {
    guard let limit = Int32(exactly: value), limit > 0 else {
      throw .init(message: "'\(field)' must be a whole number from 1")
    }
    return limit
  }
}
