import HTTPCore
import JSON
import ProtobufJSON
import RPC
import Testing

@testable import EdgeProxy

@Suite("Errors")
struct ErrorTableTests {
  @Test(
    "Each of the 17 codes has its status",
    arguments: [
      (0, 200), (1, 499), (2, 500), (3, 400), (4, 504), (5, 404), (6, 409), (7, 403), (8, 429),
      (9, 400), (10, 409), (11, 400), (12, 501), (13, 500), (14, 503), (15, 500), (16, 401),
    ]
  )
  func statuses(code: Int, status: Int) throws {
    let code = try #require(StatusCode(rawValue: code))
    #expect(StatusTable.httpStatus(of: code).rawValue == status)
    #expect(StatusCode.allCases.count == 17)
  }

  @Test("A reason of the schema decides the status")
  func reasons() {
    let payment = Problem(
      ServiceError(code: .failedPrecondition, reason: "PAYMENT_REQUIRED", message: "Upgrade.")
    )
    #expect(payment.status == 402)
    #expect(payment.reason == "PAYMENT_REQUIRED")
    #expect(payment.detail == "Upgrade.")
    let daily = Problem(
      ServiceError(
        code: .resourceExhausted,
        reason: "DAILY_LIMIT_EXCEEDED",
        message: "Daily limit reached",
        retryAfter: .seconds(90)
      )
    )
    #expect(daily.status == 429)
    #expect(daily.retryAfterSeconds == 90)
  }

  @Test("An error without a reason of ours shows a constant text")
  func runtimeErrors() {
    let problem = Problem(
      ServiceError(code: .unavailable, reason: "UNAVAILABLE", message: "connect to 10.0.0.3:7103")
    )
    #expect(problem.status == 503)
    #expect(!problem.detail.contains("10.0.0.3"))
    let unknown = Problem(ServiceError(code: .unknown, reason: "BOOM", message: "SELECT * FROM x"))
    #expect(unknown.reason == "INTERNAL")
    #expect(!unknown.detail.contains("SELECT"))
  }

  @Test("A 401 carries a challenge")
  func challenge() {
    let problem = Problem(
      ServiceError(code: .unauthenticated, reason: "INVALID_CREDENTIALS", message: "Wrong.")
    )
    #expect(problem.status == 401)
    #expect(problem.headers["www-authenticate"] == "Bearer")
  }

  private func body(_ problem: Problem) -> String {
    String(
      decoding: problem.body(requestID: "r-1", documentation: "https://x/docs"),
      as: UTF8.self
    )
  }

  @Test("The body has the members of RFC 9457 and ours")
  func members() {
    var problem = Problem("RATE_LIMITED", "Too \"many\".")
    problem.retryAfter = .milliseconds(1500)
    #expect(
      body(problem)
        == #"{"detail":"Too \"many\".","error_code":"RATE_LIMITED","status":429,"#
        + #""title":"Too many requests","type":"https://x/docs#RATE_LIMITED","request_id":"r-1","#
        + #""retry_after":2}"#
    )
  }

  @Test("Extras join the body, but never replace a member")
  func extras() {
    var problem = Problem("PARAMETER_VIOLATION", "Too large.")
    problem.extras = #"{"parameter":"max_side","limits":{"max":512},"status":200,"detail":"x"}"#
    let text = body(problem)
    #expect(text.hasSuffix(#""request_id":"r-1","parameter":"max_side","limits":{"max":512}}"#))
    problem.extras = "not json"
    #expect(body(problem).hasSuffix(#""request_id":"r-1"}"#))
    problem.extras = #"["a"]"#
    #expect(body(problem).hasSuffix(#""request_id":"r-1"}"#))
  }

  @Test("An object may stand in for detail")
  func detailObject() {
    var problem = Problem("CONSENT_REQUIRED", "Consent is missing.")
    problem.detailJSON = #"{ "error" : "consent_required" }"#
    #expect(body(problem).hasPrefix(#"{"detail":{"error":"consent_required"},"error_code""#))
    problem.detailJSON = "{broken"
    #expect(body(problem).hasPrefix(#"{"detail":"Consent is missing.","#))
  }

  @Test(
    "A fault of the body names the place",
    arguments: [
      (TranscodingError.Reason.malformedJSON, 400, "MALFORMED_JSON"),
      (.unknownField, 422, "UNKNOWN_FIELD"), (.duplicateField, 422, "DUPLICATE_FIELD"),
      (.invalidValue, 422, "INVALID_VALUE"), (.unknownParameter, 400, "UNKNOWN_PARAMETER"),
      (.unprintable, 500, "INTERNAL"),
    ]
  )
  func transcoding(reason: TranscodingError.Reason, status: Int, name: String) {
    let problem = Problem(TranscodingError(reason, at: "/a/0", "Wrong."))
    #expect(problem.status.rawValue == status)
    #expect(problem.reason == name)
    if reason != .unprintable {
      #expect(body(problem).contains(#""errors":[{"pointer":"/a/0","detail":"Wrong."}]"#))
    }
  }
}
