import EventLoop
import HTTPCore
import Testing

@testable import EdgeProxy

@Suite("Client address")
struct ClientAddressTests {
  private func client(
    _ peer: String,
    _ forwarded: [String],
    proxies: [String] = ["10.0.0.0/8", "fd00::/8"]
  ) throws -> String? {
    let address = try #require(IPAddress(peer))
    let socket: SocketAddress =
      address.bytes.count == 4
      ? .v4(bytes: address.bytes, port: 1) : .v6(bytes: address.bytes, port: 1)
    var headers = HTTPHeaders()
    for value in forwarded { headers.append("x-forwarded-for", value) }
    let filter = ClientAddressFilter(trustedProxies: proxies.compactMap { IPBlock($0) })
    return filter.client(of: socket, headers)?.text
  }

  @Test("A stranger's X-Forwarded-For is not believed")
  func stranger() throws {
    #expect(try client("203.0.113.9", ["192.0.2.1"]) == "203.0.113.9")
    #expect(try client("203.0.113.9", ["192.0.2.1"], proxies: []) == "203.0.113.9")
  }

  @Test(
    "Behind a proxy of ours the last entry that is not a proxy of ours counts",
    arguments: [
      (["192.0.2.1"], "192.0.2.1"), (["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
      (["6.6.6.6", "192.0.2.1"], "192.0.2.1"), (["192.0.2.1, 10.1.1.1, 10.2.2.2"], "192.0.2.1"),
      (["192.0.2.1:4711"], "192.0.2.1"), (["[2001:db8::7]:80"], "2001:db8::7"),
      (["2001:db8::7"], "2001:db8::7"), ([], "10.0.0.1"), (["nonsense"], "10.0.0.1"),
      (["192.0.2.1, nonsense"], "10.0.0.1"), (["10.9.9.9"], "10.9.9.9"), ([""], "10.0.0.1"),
    ]
  )
  func proxy(forwarded: [String], expected: String) throws {
    #expect(try client("10.0.0.1", forwarded) == expected)
  }

  @Test("An IPv4 address inside IPv6 is the IPv4 address")
  func mapped() throws {
    #expect(try client("::ffff:10.0.0.1", ["::ffff:192.0.2.1"]) == "192.0.2.1")
  }

  @Test("An IPv6 client is counted with its /64")
  func limitKeys() {
    #expect(IPAddress("2001:db8:1:2::1")?.limitKey == IPAddress("2001:db8:1:2:ffff::9")?.limitKey)
    #expect(IPAddress("2001:db8:1:2::1")?.limitKey != IPAddress("2001:db8:1:3::1")?.limitKey)
    #expect(IPAddress("192.0.2.1")?.limitKey == "192.0.2.1")
  }

  @Test(
    "Texts that are no addresses are refused",
    arguments: [
      "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "::1%lo", "[::1]", "fe80::1::2",
      "localhost",
    ]
  )
  func notAddresses(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test("Blocks contain what their prefix says")
  func blocks() throws {
    let block = try #require(IPBlock("192.168.4.0/22"))
    #expect(try block.contains(#require(IPAddress("192.168.7.255"))))
    #expect(try !block.contains(#require(IPAddress("192.168.8.0"))))
    #expect(try !block.contains(#require(IPAddress("::1"))))
    #expect(IPBlock("192.168.4.0/33") == nil)
    #expect(IPBlock("x/8") == nil)
    #expect(try #require(IPBlock("0.0.0.0/0")).contains(#require(IPAddress("8.8.8.8"))))
  }
}

@Suite("Request identity")
struct RequestIdentityTests {
  private func identity(_ headers: HTTPHeaders) -> RequestIdentity {
    var random = SystemRandomNumberGenerator()
    return RequestIdentity(headers, random: &random)
  }

  @Test("A well-formed request id is kept, any other replaced")
  func requestID() {
    #expect(identity(["x-request-id": "abc-1.2_3"]).requestID == "abc-1.2_3")
    for bad in ["", "a b", "a\u{1}", "é", String(repeating: "a", count: 65), "a/b"] {
      #expect(identity(["x-request-id": bad]).requestID != bad)
    }
    #expect(identity([:]).requestID != identity([:]).requestID)
  }

  private let trace = "0af7651916cd43dd8448eb211c80319c"

  @Test("A trace goes on under a new parent and is not sampled for a stranger")
  func traceGoesOn() {
    let identity = identity([
      "traceparent": "00-\(trace)-b7ad6b7169203331-01", "tracestate": "a=1",
    ])
    #expect(identity.traceID == trace)
    #expect(identity.traceParent.hasSuffix("-00"))
    #expect(!identity.traceParent.contains("b7ad6b7169203331"))
    #expect(identity.traceState == "a=1")
    #expect(identity.traceParent.utf8.count == 55)
  }

  @Test(
    "A malformed trace starts a new one and drops its state",
    arguments: [
      "", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
      "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
      "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
      "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ]
  )
  func malformedTrace(value: String) {
    let identity = identity(["traceparent": value, "tracestate": "a=1"])
    #expect(identity.traceID != trace)
    #expect(identity.traceState == nil)
    #expect(identity.traceParent.utf8.count == 55)
  }

  @Test("A later version is read by its beginning")
  func laterVersion() {
    #expect(identity(["traceparent": "01-\(trace)-b7ad6b7169203331-01-more"]).traceID == trace)
  }
}

@Suite("Response headers")
struct ResponseHeaderTests {
  private let filter = ResponseHeaderFilter(allowedOrigins: ["https://app.example"])

  @Test("Every answer carries the security fields, HSTS over TLS only")
  func security() {
    let plain = filter.base(isSecure: false, requestID: "r", origin: nil)
    for name in [
      "x-content-type-options", "content-security-policy", "x-frame-options", "referrer-policy",
      "cross-origin-resource-policy", "x-request-id",
    ] { #expect(plain.contains(name)) }
    #expect(!plain.contains("strict-transport-security"))
    #expect(!plain.contains("server"))
    let secure = filter.base(isSecure: true, requestID: "r", origin: nil)
    #expect(secure.contains("strict-transport-security"))
  }

  @Test(
    "Only an exact origin is allowed",
    arguments: [
      ("https://app.example", true), ("https://app.example.evil.com", false), ("null", false),
      ("http://app.example", false), ("https://APP.example", false), ("*", false),
    ]
  )
  func origins(origin: String, isAllowed: Bool) {
    let headers = filter.base(isSecure: true, requestID: "r", origin: origin)
    #expect(headers["access-control-allow-origin"] == (isAllowed ? origin : nil))
    #expect(headers.contains("access-control-allow-credentials") == isAllowed)
    #expect(headers["vary"] == "Origin")
  }

  @Test("A preflight of an allowed origin learns methods and headers by name")
  func preflight() {
    let base = filter.base(isSecure: true, requestID: "r", origin: "https://app.example")
    let response = filter.preflight(base)
    #expect(response.head.status == 204)
    #expect(
      response.head.headers["access-control-allow-headers"]?.contains("Authorization") == true
    )
    #expect(response.head.headers["access-control-allow-methods"]?.contains("*") == false)
    let other = filter.preflight(filter.base(isSecure: true, requestID: "r", origin: "https://x"))
    #expect(!other.head.headers.contains("access-control-allow-methods"))
  }
}

@Suite("Header rules")
struct HeaderRuleTests {
  @Test(
    "An idempotency key comes bare or quoted",
    arguments: [
      ("abc", "abc"), ("\"abc\"", "abc"),
      (String(repeating: "k", count: 255), String(repeating: "k", count: 255)),
    ]
  )
  func keys(value: String, key: String) throws {
    #expect(try HeaderRules.idempotencyKey(["idempotency-key": value], isRequired: true) == key)
  }

  @Test(
    "A bad key is refused",
    arguments: [
      "", "\"\"", "a b", "é", String(repeating: "k", count: 256), "a\"b", "\"a",
    ]
  )
  func badKeys(value: String) {
    #expect(throws: Problem.self) {
      try HeaderRules.idempotencyKey(["idempotency-key": value], isRequired: false)
    }
  }

  @Test("Two keys are refused, a missing one only where it is required")
  func keyCount() throws {
    #expect(throws: Problem.self) {
      try HeaderRules.idempotencyKey(
        ["idempotency-key": "a", "idempotency-key": "a"],
        isRequired: false
      )
    }
    #expect(try HeaderRules.idempotencyKey([:], isRequired: false) == nil)
    let problem = #expect(throws: Problem.self) {
      try HeaderRules.idempotencyKey([:], isRequired: true)
    }
    #expect(problem?.status == 400)
    #expect(problem?.reason == "IDEMPOTENCY_KEY_REQUIRED")
  }

  @Test(
    "A body is JSON or says nothing",
    arguments: [
      ("application/json", true), ("application/json; charset=utf-8", true),
      ("Application/JSON", true), ("application/merge-patch+json", true), ("text/plain", false),
      ("application/x-www-form-urlencoded", false), ("multipart/form-data", false), ("", false),
    ]
  )
  func contentTypes(value: String, isAccepted: Bool) {
    let isRefused = (try? HeaderRules.checkJSONContentType(["content-type": value])) == nil
    #expect(isRefused == !isAccepted)
  }

  @Test(
    "Accept allows what it names, directly or by family",
    arguments: [
      ("application/json", true), ("*/*", true), ("application/*", true), ("text/html", false),
      ("text/html, application/json;q=0.5", true), ("application/json;q=0", false),
      ("text/html, */*;q=0.1", true),
    ]
  )
  func accept(value: String, isAllowed: Bool) {
    #expect(AcceptRule(["accept": value]).allows("application/json") == isAllowed)
    #expect(AcceptRule([:]).allows("application/json"))
  }

  @Test(
    "The last event is visible and short",
    arguments: [("17", true), ("a b", false), ("é", false)]
  )
  func lastEvent(value: String, isAccepted: Bool) {
    let found = try? HeaderRules.lastEventID(["last-event-id": value], query: nil)
    #expect((found == .some(value)) == isAccepted)
  }
}
