import HTTPCore
import Testing

@testable import EdgeProxy

@Suite("Rate policies")
struct RatePolicyTests {
  @Test("Overrides change the numbers and nothing else")
  func overrides() throws {
    let policies = try RatePolicies(
      overrides: "user.default=100/1+600/60, ip.global=off,auth.login=1000/60"
    )
    #expect(
      policies["user.default"]?.windows == [
        .init(limit: 100, seconds: 1), .init(limit: 600, seconds: 60),
      ]
    )
    #expect(policies["ip.global"]?.windows.isEmpty == true)
    #expect(policies["auth.login"]?.fallback == .refuse)
    #expect(policies["auth.login"]?.subjects == [.address, .account(member: "email")])
    #expect(policies["jobs.create"]?.windows == [.init(limit: 30, seconds: 60)])
  }

  @Test(
    "A wrong override is refused",
    arguments: [
      "nope=1/1", "user.default", "user.default=", "user.default=1", "user.default=0/1",
      "user.default=1/0", "user.default=a/b", "user.default=1/1+", "user.default=-1/1", "=1/1",
    ]
  )
  func wrong(text: String) {
    #expect(throws: RatePolicies.Failure.self) { try RatePolicies(overrides: text) }
  }

  @Test("Registration and login are refused while Redis is away, others are not")
  func fallbacks() {
    let refusing = RatePolicies.defaults.filter { $0.fallback == .refuse }.map(\.name)
    #expect(Set(refusing) == ["auth.register", "auth.login"])
  }

  @Test("A login counts by address and by account, whatever the case of the address")
  func loginBuckets() throws {
    let policy = try #require(RatePolicies.defaults.first { $0.name == "auth.login" })
    func buckets(_ email: String?) -> [RateBucket] {
      RateLimitFilter.buckets([policy], address: IPAddress("192.0.2.1"), token: nil) { _ in email }
    }
    #expect(buckets("A@x.example").map(\.key) == buckets("a@X.example").map(\.key))
    #expect(buckets("A@x.example").count == 2)
    #expect(buckets(nil).count == 1)
    #expect(!buckets("a@x.example").map(\.key).joined().contains("x.example"))
  }

  @Test("The headers tell policy and state of each limit, and the tightest apart")
  func headers() {
    func state(_ policy: String, _ limit: Int, _ seconds: Int, _ remaining: Int) -> RateState {
      RateState(
        bucket: RateBucket(
          key: policy,
          policy: policy,
          window: .init(limit: limit, seconds: seconds)
        ),
        remaining: remaining,
        resetMilliseconds: 1_500
      )
    }
    var headers = HTTPHeaders()
    let decision = RateDecision(
      isAllowed: true,
      states: [state("a.1s", 10, 1, 9), state("a.60s", 60, 60, 3)]
    )
    RateHeaders.append(decision, unixSeconds: 1_000, to: &headers)
    #expect(headers["ratelimit-policy"] == #""a.1s";q=10;w=1, "a.60s";q=60;w=60"#)
    #expect(headers["ratelimit"] == #""a.1s";r=9;t=2, "a.60s";r=3;t=2"#)
    #expect(headers["x-ratelimit-limit"] == "60")
    #expect(headers["x-ratelimit-remaining"] == "3")
    #expect(headers["x-ratelimit-reset"] == "1002")
  }

  @Test("Without limits there are no headers")
  func noHeaders() {
    var headers = HTTPHeaders()
    RateHeaders.append(RateDecision(isAllowed: true, states: []), unixSeconds: 1, to: &headers)
    #expect(headers.isEmpty)
  }
}
