import Testing

@testable import BillingSvc

@Suite("Plan overrides") struct PlanOverridesTests {
  @Test("Named figures are replaced, others stay the plan's")
  func parses() throws {
    let overrides = try PlanOverrides(
      parsing: """
        {"free": {"daily_jobs": 1000, "concurrent_jobs": 50}, "pro": {"consumes_credits": true}}
        """
    )
    #expect(overrides.values["free"]?.dailyJobs == 1_000)
    #expect(overrides.values["free"]?.concurrentJobs == 50)
    #expect(overrides.values["free"]?.maxSide == nil)
    #expect(overrides.values["pro"]?.consumesCredits == true)
  }

  @Test(
    "What is no figure of a plan is refused",
    arguments: [
      "free.daily_jobs=1", "[]", "{\"free\": 5}", "{\"free\": {\"daily_jobs\": 0}}",
      "{\"free\": {\"daily_jobs\": true}}", "{\"free\": {\"daily_jobs\": 3000000000}}",
      "{\"free\": {\"colour\": 1}}", "{\"free\": {\"consumes_credits\": 1}}",
      "{\"free\": {\"max_side\": 1.5}}", "{\"free\": {\"credits_included\": -1}}",
    ]
  )
  func refuses(text: String) {
    #expect(throws: PlanOverrides.ParseFailure.self) { try PlanOverrides(parsing: text) }
  }
}
