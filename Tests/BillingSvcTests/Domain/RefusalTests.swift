import Foundation
import OneShotAPI
import Testing

@testable import BillingSvc

@Suite("Refusal") struct RefusalTests {
  private static let midnight = Date(timeIntervalSince1970: 1_700_092_800)

  @Test(
    "Clients read these words and sentences to the letter",
    arguments: [
      (
        Refusal.daily(used: 5, limit: 5, resetsAt: midnight, secondsLeft: 60),
        "DAILY_LIMIT_EXCEEDED",
        "Daily job limit exceeded (5/5). Please upgrade your plan or wait until tomorrow."
      ),
      (
        .maxSide(requested: 1024, limit: 512),
        "PARAMETER_VIOLATION",
        "Parameter 'max_side' value 1024 exceeds plan limit of 512"
      ),
      (
        .feature,
        "PAYMENT_REQUIRED",
        "This feature requires a Pro or Premium subscription"
      ),
      (
        .consent(
          required: ["face_swap_consent", "deepfake_awareness_consent"],
          missing: ["face_swap_consent"]
        ),
        "CONSENT_REQUIRED",
        "Face swap consent is required."
      ),
      (
        .concurrent(running: 2, limit: 2),
        "CONCURRENT_LIMIT_EXCEEDED",
        "Concurrent job limit exceeded (2/2). "
          + "Please wait for a job to finish or upgrade your plan."
      ),
      (
        .credits(cost: 2, balance: 1),
        "NOT_ENOUGH_CREDITS",
        "Not enough credits: this job costs 2, the balance is 1."
      ),
    ]
  )
  func words(refusal: Refusal, reason: String, message: String) {
    #expect(refusal.reason == reason)
    #expect(refusal.message == message)
  }

  @Test("Every reason is on the public list")
  func listed() {
    let listed = Set(ErrorReasons.all.map(\.name))
    let refusals: [Refusal] = [
      .consent(required: [], missing: []), .feature, .maxSide(requested: 1, limit: 0),
      .daily(used: 0, limit: 0, resetsAt: Self.midnight, secondsLeft: 0),
      .concurrent(running: 0, limit: 0), .credits(cost: 0, balance: 0), .ended(.released),
      .otherOwner,
    ]
    for refusal in refusals { #expect(listed.contains(refusal.reason)) }
  }

  @Test("A daily limit says when the day ends, a missing plan says nothing of time")
  func retryAfter() {
    let daily = Refusal.daily(used: 5, limit: 5, resetsAt: Self.midnight, secondsLeft: 3_600)
    #expect(daily.serviceError.retryAfter == .seconds(3_600))
    #expect(daily.serviceError.code == .resourceExhausted)
    #expect(Refusal.feature.serviceError.retryAfter == nil)
  }

  @Test("A consent error carries the object form of detail")
  func consentDetail() throws {
    let error = Refusal.consent(
      required: ["face_swap_consent", "deepfake_awareness_consent"],
      missing: ["face_swap_consent"]
    ).serviceError
    let detail = try #require(error.metadata["detail_json"])
    #expect(
      detail == """
        {"code":"consent_required","message":"Face swap consent is required.",\
        "required_consents":["face_swap_consent","deepfake_awareness_consent"],\
        "missing_consents":["face_swap_consent"]}
        """
    )
  }

  @Test("Extras are JSON objects")
  func extras() throws {
    let refusals: [Refusal] = [
      .maxSide(requested: 1024, limit: 512), .concurrent(running: 2, limit: 2),
      .credits(cost: 2, balance: 1),
      .daily(used: 5, limit: 5, resetsAt: Self.midnight, secondsLeft: 1),
    ]
    for refusal in refusals {
      let text = try #require(refusal.serviceError.metadata["extras_json"])
      #expect(throws: Never.self) {
        try JSONDecoder().decode([String: Extra].self, from: Data(text.utf8))
      }
    }
  }

  private struct Extra: Decodable {
    init(from decoder: any Decoder) throws {}
  }
}
