internal import ServiceKit

/// What BillingSvc reads beside the common keys.
struct BillingConfiguration: ServiceConfiguration {
  /// Whether subscription events can be made by hand.
  enum MockMode: String, CaseIterable {
    case mock, off
  }

  static let defaultCredits = ConfigKey(
    "DEFAULT_CREDITS",
    "Credits that a new account starts with, 0 to 1000000000.",
    default: "10"
  )
  static let mockMode = ConfigKey(
    "DEV_BILLING_MODE",
    "mock or off: whether mock_event makes subscription events.",
    default: "off"
  )
  static let planOverrides = ConfigKey(
    "PLAN_OVERRIDES",
    "JSON that replaces figures of plans, for example {\"free\":{\"daily_jobs\":1000}}."
  )

  static let keys = [defaultCredits, mockMode, planOverrides]
  static let needs: ServiceNeeds = [.postgres, .rpcServer]
  static let peers: [ServiceName] = []

  let startingCredits: Int64
  let mock: MockMode
  let overrides: PlanOverrides

  init(_ reader: inout ConfigurationReader) {
    startingCredits = Int64(reader.int(Self.defaultCredits, in: 0...1_000_000_000))
    mock = reader.choice(Self.mockMode, as: MockMode.self, standIn: .off)
    var overrides = PlanOverrides()
    if let text = reader.optionalString(Self.planOverrides) {
      do {
        overrides = try PlanOverrides(parsing: text)
      } catch {
        reader.problem(Self.planOverrides, error.message)
      }
    }
    self.overrides = overrides
  }
}
