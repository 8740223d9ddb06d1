import Foundation
import HTTPClient
import ServiceKit
import Testing

@testable import JobSvc

@Suite("Webhook rules") struct WebhookRuleTests {
  @Test(
    "Addresses that a notice may be sent to",
    arguments: [
      ("https://example.com/hook?token=x", nil),
      ("https://example.com:8443/", nil),
      ("https://93.184.216.34/", nil),
      ("https://[2606:2800:220:1::1]/", nil),
      ("", "INVALID_VALUE"),
      ("example.com", "INVALID_VALUE"),
      ("http://example.com/", "INVALID_VALUE"),
      ("ftp://example.com/", "INVALID_VALUE"),
      ("file:///etc/passwd", "INVALID_VALUE"),
      ("https://user:password@example.com/", "INVALID_VALUE"),
      ("https://ok@127.0.0.1/", "INVALID_VALUE"),
      ("https://example.com:22/", "INVALID_VALUE"),
      ("https://exämple.com/", "INVALID_VALUE"),
      ("https://example.com/a b", "INVALID_VALUE"),
      ("https://example.com/" + String(repeating: "x", count: 2_048), "INVALID_VALUE"),
      ("https://127.0.0.1/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://127.1/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://2130706433/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://0x7f.0.0.1/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://0177.0.0.1/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://169.254.169.254/latest", "PRIVATE_ADDRESS_REFUSED"),
      ("https://10.1.2.3:8443/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://[::1]/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://[::ffff:7f00:1]/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://[fd00::1]/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://localhost/", "PRIVATE_ADDRESS_REFUSED"),
      ("https://LOCALHOST./", "PRIVATE_ADDRESS_REFUSED"),
      ("https://db.internal/", "PRIVATE_ADDRESS_REFUSED"),
    ] as [(String, String?)]
  )
  func addresses(_ url: String, _ reason: String?) {
    let rule = WebhookURLRule()
    var problem: RequestProblem?
    do throws(RequestProblem) {
      try rule.check(url)
    } catch {
      problem = error
    }
    #expect(problem?.reason == reason)
    #expect(problem == nil || problem?.field == "webhook_url")
  }

  @Test("A development exception opens one address and port, for http, too")
  func exceptions() {
    let rule = WebhookURLRule(exceptions: [HTTPEndpoint(address: [127, 0, 0, 1], port: 9_000)])
    #expect(throws: Never.self) { try rule.check("http://127.0.0.1:9000/hook") }
    #expect(throws: RequestProblem.self) { try rule.check("http://127.0.0.1:9001/hook") }
    #expect(throws: RequestProblem.self) { try rule.check("http://127.0.0.2:9000/hook") }
    #expect(throws: RequestProblem.self) { try rule.check("http://localhost:9000/hook") }
  }

  static let rule = WebhookRetryRule(delays: [.seconds(60), .seconds(300)])

  @Test(
    "What follows an attempt",
    arguments: [
      (1, .answered(status: 200, retryAfter: nil), .delivered),
      (3, .answered(status: 299, retryAfter: nil), .delivered),
      (1, .answered(status: 302, retryAfter: nil), .retry(after: .seconds(60))),
      (1, .answered(status: 410, retryAfter: nil), .dead),
      (2, .answered(status: 500, retryAfter: nil), .retry(after: .seconds(300))),
      (1, .answered(status: 429, retryAfter: .seconds(90)), .retry(after: .seconds(90))),
      (1, .answered(status: 429, retryAfter: .seconds(5)), .retry(after: .seconds(60))),
      (1, .answered(status: 503, retryAfter: .seconds(999_999)), .retry(after: .seconds(86_400))),
      (2, .failed("timed_out"), .retry(after: .seconds(300))),
      (3, .failed("timed_out"), .dead),
      (3, .answered(status: 500, retryAfter: nil), .dead),
    ] as [(Int, WebhookRetryRule.Outcome, WebhookRetryRule.Decision)]
  )
  func decisions(
    _ attempt: Int,
    _ outcome: WebhookRetryRule.Outcome,
    _ decision: WebhookRetryRule.Decision
  ) {
    #expect(Self.rule.decision(afterAttempt: attempt, outcome, chance: 0) == decision)
  }

  @Test("Chance makes a wait longer by a tenth at most")
  func jitter() {
    let decision = Self.rule.decision(afterAttempt: 1, .failed("unreachable"), chance: 1)
    #expect(decision == .retry(after: .seconds(60) * 1.1))
  }

  @Test("Keys and signatures are those of another implementation")
  func vectors() throws {
    let user = try #require(UserID(text: "00000000-0000-4000-8000-000000000001"))
    let keys = WebhookKeys(secret: String(repeating: "s", count: 32))
    #expect(keys.text(of: user) == "whsec_oFDVWBkDu4aUeAT3PLRL6rc6hzTpxD8OzAUPRYx9OcE=")
    let headers = keys.headers(
      of: user,
      id: "evt_1",
      timestamp: 1_700_000_000,
      body: Array("{}".utf8)
    )
    #expect(headers["webhook-signature"] == "v1,vFcsaeLGjAIIs1uGfCQrpqDiRzIOQO19Rw5e7UQJXj8=")
    #expect(
      headers["x-webhook-signature"]
        == "bc572c69e2c68c0208b35b867c242ba6a0e247320e40ed7d470e5eed44095e3f"
    )
  }

  @Test("While a secret is replaced, both sign, and the key shown is the new one's")
  func rotation() throws {
    let user = UserID(UUID())
    let (old, new) = (String(repeating: "o", count: 32), String(repeating: "n", count: 32))
    let both = WebhookKeys(secret: new, previous: old)
    func signatures(_ keys: WebhookKeys) -> [Substring] {
      let headers = keys.headers(of: user, id: "evt_1", timestamp: 1, body: [])
      return headers["webhook-signature"]?.split(separator: " ") ?? []
    }
    let current = WebhookKeys(secret: new)
    #expect(signatures(both) == signatures(current) + signatures(WebhookKeys(secret: old)))
    #expect(both.text(of: user) == current.text(of: user))
  }

  @Test("Only whole seconds of Retry-After count")
  func retryAfter() {
    #expect(WebhookSender.retryAfter("120") == .seconds(120))
    #expect(WebhookSender.retryAfter("-1") == nil)
    #expect(WebhookSender.retryAfter("Sun, 06 Nov 1994 08:49:37 GMT") == nil)
    #expect(WebhookSender.retryAfter(nil) == nil)
  }
}
