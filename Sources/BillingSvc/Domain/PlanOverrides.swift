/// Numbers of plans that the operator's configuration replaces.
///
/// Written as `<plan>.<field>=<value>`, separated by commas:
/// `free.daily_jobs=1000,free.concurrent_jobs=50,pro.consumes_credits=true`.
struct PlanOverrides: Sendable, Hashable {
  /// The replaced numbers of one plan; nil leaves the plan's own.
  struct Values: Sendable, Hashable {
    var dailyJobs: Int32?
    var concurrentJobs: Int32?
    var maxSide: Int32?
    var creditsIncluded: Int64?
    var consumesCredits: Bool?
  }

  /// Why a text is not a list of overrides.
  struct ParseFailure: Error, Hashable {
    let message: String
  }

  /// By plan code.
  private(set) var values: [String: Values] = [:]

  /// No overrides.
  init() {}

  /// Parses the configuration's form.
  init(parsing items: [String]) throws(ParseFailure) {
    for item in items {
      let sides = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = sides[0].split(separator: ".", omittingEmptySubsequences: false)
      guard sides.count == 2, name.count == 2, !name[0].isEmpty else {
        throw ParseFailure(message: "expected <plan>.<field>=<value>, not '\(item)'")
      }
      var plan = values[String(name[0])] ?? Values()
      try plan.set(String(name[1]), to: String(sides[1]))
      values[String(name[0])] = plan
    }
  }
}

extension PlanOverrides.Values {
  fileprivate mutating func set(
    _ field: String,
    to text: String
  ) throws(PlanOverrides.ParseFailure) {
    switch field {
    case "daily_jobs": dailyJobs = try Self.number(text, field, from: 1)
    case "concurrent_jobs": concurrentJobs = try Self.number(text, field, from: 1)
    case "max_side": maxSide = try Self.number(text, field, from: 1)
    case "credits_included": creditsIncluded = try Self.number(text, field, from: 0)
    case "consumes_credits":
      guard let value = Bool(text) else {
        throw .init(message: "\(field) expects true or false, not '\(text)'")
      }
      consumesCredits = value
    default: throw .init(message: "a plan has no field '\(field)'")
    }
  }

  private static func number<Number: FixedWidthInteger>(
    _ text: String,
    _ field: String,
    from least: Number
  ) throws(PlanOverrides.ParseFailure) -> Number {
    guard let value = Number(text), value >= least else {
      throw .init(message: "\(field) expects a whole number from \(least), not '\(text)'")
    }
    return value
  }
}
