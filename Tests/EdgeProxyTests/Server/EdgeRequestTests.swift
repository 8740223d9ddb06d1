import Foundation
import Testing

@testable import EdgeProxy

@Suite("Requests through the edge")
struct EdgeRequestTests {
  @Test("A login reaches its service and comes back as JSON")
  func login() async throws {
    try await EdgeFixture.run { edge in
      let good = try await edge.send(
        "POST",
        "/api/v1/auth/login",
        body: #"{"email":"a@x.example","password":"right"}"#
      )
      #expect(good.status == 200)
      #expect(good.body.contains(#""user":{"id":"","email":"a@x.example","credits":null}"#))
      #expect(good.headers["content-type"] == "application/json")
      #expect(good.headers["cache-control"] == "no-store")
      #expect(good.headers["x-content-type-options"] == "nosniff")
      #expect(good.headers["server"] == nil)
      let bad = try await edge.send(
        "POST",
        "/api/v1/auth/login",
        body: #"{"email":"a@x.example","password":"no"}"#
      )
      #expect(bad.status == 401)
      #expect(bad.errorCode == "INVALID_CREDENTIALS")
    }
  }

  @Test("A signed-in user's call carries the user, and nothing that a client invents")
  func identity() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send(
        "GET",
        "/api/v1/auth/me",
        [
          "x-oneshot-user-id": "11111111-1111-1111-1111-111111111111", "x-user-id": "1",
          "grpc-metadata-x-oneshot-role": "admin", "x-oneshot-role": "admin", "grpc-timeout": "1n",
          "x-request-id": "mine-1", "cookie": "a=b", "x-forwarded-for": "192.0.2.7",
        ],
        token: edge.mint.token()
      )
      #expect(reply.status == 200)
      #expect(reply.body.contains(#""id":"\#(edge.mint.user.uuidString.lowercased())""#))
      #expect(reply.body.contains("x-oneshot-role=user"))
      #expect(reply.body.contains("x-oneshot-client-address=192.0.2.7"))
      #expect(reply.body.contains("x-request-id=mine-1"))
      #expect(!reply.body.contains("x-user-id"))
      #expect(!reply.body.contains("cookie"))
      #expect(!reply.body.contains("11111111"))
      #expect(reply.body.contains(#""credits":null"#))
      #expect(reply.body.contains(#""created_at":"2023-11-14T22:13:20Z""#))
      #expect(reply.headers["x-request-id"] == "mine-1")
    }
  }

  @Test("Without a good token there is a 401 that says why")
  func tokens() async throws {
    try await EdgeFixture.run { edge in
      let none = try await edge.send("GET", "/api/v1/auth/me")
      #expect((none.status, none.errorCode ?? "") == (401, "UNAUTHENTICATED"))
      #expect(none.headers["www-authenticate"] == "Bearer")
      let bad = try await edge.send("GET", "/api/v1/auth/me", token: "x.y.z")
      #expect((bad.status, bad.errorCode ?? "") == (401, "INVALID_TOKEN"))
      #expect(bad.headers["www-authenticate"]?.contains("invalid_token") == true)
      let old = try await edge.send("GET", "/api/v1/auth/me", token: edge.mint.token { $0.exp = 1 })
      #expect((old.status, old.errorCode ?? "") == (401, "TOKEN_EXPIRED"))
      let basic = try await edge.send("GET", "/api/v1/auth/me", ["authorization": "Basic YTpi"])
      #expect((basic.status, basic.errorCode ?? "") == (401, "INVALID_TOKEN"))
    }
  }

  @Test("A session that has ended is refused at once, also with a known token")
  func revocation() async throws {
    try await EdgeFixture.run { edge in
      let token = try await edge.mint.token()
      #expect(try await edge.send("GET", "/api/v1/auth/me", token: token).status == 200)
      let key = RateScript.revocationKey(session: edge.mint.session.uuidString.lowercased())
      _ = try await edge.redis.command("SET", key, "1", "EX", 60)
      let reply = try await edge.send("GET", "/api/v1/auth/me", token: token)
      #expect((reply.status, reply.errorCode ?? "") == (401, "SESSION_REVOKED"))
    }
  }

  @Test("Status, location and idempotency key pass, other headers of a service do not")
  func create() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send(
        "POST",
        "/api/v1/jobs",
        ["idempotency-key": "\"k-1\""],
        body: #"{"jobType":"upscale","params":{"scale_factor":2}}"#,
        token: edge.mint.token()
      )
      #expect(reply.status == 201)
      #expect(reply.headers["location"] == "/api/v1/jobs/j1")
      #expect(reply.headers["x-secret"] == nil)
      #expect(
        reply.body.hasPrefix(#"{"id":"k-1","job_id":"","status":"pending","job_type":"upscale""#)
      )
      let bad = try await edge.send(
        "POST",
        "/api/v1/jobs",
        ["idempotency-key": "a b"],
        body: "{}",
        token: edge.mint.token()
      )
      #expect((bad.status, bad.errorCode ?? "") == (400, "IDEMPOTENCY_KEY_INVALID"))
    }
  }

  @Test("A service's error keeps reason, retry and extras")
  func serviceErrors() async throws {
    try await EdgeFixture.run { edge in
      let token = try await edge.mint.token()
      let daily = try await edge.send(
        "POST",
        "/api/v1/jobs",
        body: #"{"job_type":"expensive"}"#,
        token: token
      )
      #expect((daily.status, daily.errorCode ?? "") == (429, "DAILY_LIMIT_EXCEEDED"))
      #expect(daily.headers["retry-after"] == "60")
      #expect(daily.body.contains(#""limit":5"#))
      let missing = try await edge.send("GET", "/api/v1/jobs/missing", token: token)
      #expect((missing.status, missing.errorCode ?? "") == (404, "NOT_FOUND"))
      let problem = try await edge.send(
        "GET",
        "/api/v1/jobs/missing",
        ["accept": "application/problem+json"],
        token: token
      )
      #expect(problem.headers["content-type"] == "application/problem+json")
    }
  }

  @Test(
    "Faults of a body have their status and pointer",
    arguments: [
      ("{", 400, "MALFORMED_JSON"), ("", 400, "MALFORMED_JSON"), ("[]", 422, "INVALID_VALUE"),
      (#"{"job_type":1}"#, 422, "INVALID_VALUE"), (#"{"nope":1}"#, 422, "UNKNOWN_FIELD"),
      (#"{"params":{"nope":1}}"#, 422, "UNKNOWN_FIELD"),
      (#"{"job_type":"a","jobType":"b"}"#, 422, "DUPLICATE_FIELD"),
      (#"{"params":{"denoise":1e400}}"#, 422, "INVALID_VALUE"),
      (#"{"priority":9223372036854775808}"#, 422, "INVALID_VALUE"),
    ]
  )
  func badBodies(body: String, status: Int, code: String) async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send("POST", "/api/v1/jobs", body: body, token: edge.mint.token())
      #expect((reply.status, reply.errorCode ?? "") == (status, code))
      if body.contains("params\":{\"nope") { #expect(reply.body.contains("/params/nope")) }
    }
  }

  @Test("Path, method, type and query are checked")
  func routing() async throws {
    try await EdgeFixture.run { edge in
      let token = try await edge.mint.token()
      let lost = try await edge.send("GET", "/api/v1/nothing")
      #expect((lost.status, lost.errorCode ?? "") == (404, "ROUTE_NOT_FOUND"))
      let method = try await edge.send("DELETE", "/api/v1/jobs")
      #expect((method.status, method.errorCode ?? "") == (405, "METHOD_NOT_ALLOWED"))
      #expect(method.headers["allow"] == "GET, HEAD, POST, OPTIONS")
      let options = try await edge.send("OPTIONS", "/api/v1/jobs")
      #expect(options.status == 204)
      #expect(options.headers["allow"] == "GET, HEAD, POST, OPTIONS")
      let type = try await edge.send(
        "POST",
        "/api/v1/jobs",
        ["content-type": "text/plain"],
        body: "{}",
        token: token
      )
      #expect((type.status, type.errorCode ?? "") == (415, "UNSUPPORTED_MEDIA_TYPE"))
      let accept = try await edge.send("GET", "/api/v1/jobs", ["accept": "text/html"], token: token)
      #expect((accept.status, accept.errorCode ?? "") == (406, "NOT_ACCEPTABLE"))
      let unknown = try await edge.send("GET", "/api/v1/jobs?colour=1", token: token)
      #expect((unknown.status, unknown.errorCode ?? "") == (400, "UNKNOWN_PARAMETER"))
      let many = try await edge.send("GET", "/api/v1/jobs?limit=many", token: token)
      #expect((many.status, many.errorCode ?? "") == (422, "INVALID_VALUE"))
      let twice = try await edge.send("GET", "/api/v1/jobs?limit=1&limit=2", token: token)
      #expect(twice.status == 422)
      let good = try await edge.send("GET", "/api/v1/jobs?limit=2&status=running", token: token)
      #expect(good.body.hasPrefix(#"{"items":[{"id":"0""#))
      #expect(good.body.hasSuffix(#""next_cursor":null,"has_more":true}"#))
      let escaped = try await edge.send("GET", "/api/v1/jobs/a%20b", token: token)
      #expect(escaped.body.contains(#""id":"a b""#))
      let broken = try await edge.send("GET", "/api/v1/jobs/%zz", token: token)
      #expect(broken.status == 400)
    }
  }

  @Test("A field that path and body give differently is refused")
  func pathAgainstBody() async throws {
    try await EdgeFixture.run { edge in
      let token = try await edge.mint.token()
      let path = "/api/v1/jobs/one/cancel"
      let other = try await edge.send("POST", path, body: #"{"job_id":"two"}"#, token: token)
      #expect((other.status, other.errorCode ?? "") == (422, "DUPLICATE_FIELD"))
      #expect(other.body.contains("/job_id"))
      let same = try await edge.send("POST", path, body: #"{"job_id":"one"}"#, token: token)
      #expect(same.errorCode != "DUPLICATE_FIELD")
      let query = try await edge.send("GET", "/api/v1/jobs/one?job_id=two", token: token)
      #expect((query.status, query.errorCode ?? "") == (422, "DUPLICATE_FIELD"))
    }
  }

  @Test("A development operation does not exist in production")
  func developmentOnly() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send("POST", "/api/v1/billing/mock_event", body: "{}")
      #expect(reply.status == 404)
    }
  }

  @Test("A body over the limit is refused unread")
  func tooLarge() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await RawResponse(
        Array(
          edge.raw(
            "POST /api/v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 70000\r\n\r\n"
          ).utf8
        )
      )
      #expect((reply.status, reply.errorCode ?? "") == (413, "BODY_TOO_LARGE"))
      #expect(reply.headers["connection"] == "close")
    }
  }

  @Test("HEAD answers like GET, without a body")
  func head() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send("HEAD", "/healthz")
      #expect(reply.status == 200)
      #expect(Int(reply.headers["content-length"] ?? "0") ?? 0 > 0)
      #expect(reply.body.isEmpty)
    }
  }

  @Test("Errors carry the CORS fields as well")
  func cors() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send("GET", "/api/v1/auth/me", ["origin": "https://app.example"])
      #expect(reply.status == 401)
      #expect(reply.headers["access-control-allow-origin"] == "https://app.example")
      let preflight = try await edge.send(
        "OPTIONS",
        "/api/v1/jobs",
        ["origin": "https://app.example", "access-control-request-method": "POST"]
      )
      #expect(preflight.status == 204)
      #expect(preflight.headers["access-control-allow-methods"]?.contains("POST") == true)
    }
  }

  @Test("The limit is told in headers, then refused with the time to wait")
  func rateLimit() async throws {
    var options = EdgeFixture.Options()
    options.overrides = "user.default=2/60"
    try await EdgeFixture.run(options) { edge in
      let token = try await edge.mint.token()
      let first = try await edge.send("GET", "/api/v1/auth/me", token: token)
      #expect(first.headers["ratelimit-policy"] == #""user.default";q=2;w=60"#)
      #expect(first.headers["ratelimit"]?.hasPrefix(#""user.default";r=1;t="#) == true)
      #expect(first.headers["x-ratelimit-remaining"] == "1")
      _ = try await edge.send("GET", "/api/v1/auth/me", token: token)
      let third = try await edge.send("GET", "/api/v1/auth/me", token: token)
      #expect((third.status, third.errorCode ?? "") == (429, "RATE_LIMITED"))
      #expect(Int(third.headers["retry-after"] ?? "") ?? 0 > 50)
      #expect(third.headers["x-ratelimit-remaining"] == "0")
      let other = try await edge.send("GET", "/api/v1/auth/me", token: TokenMint().token())
      #expect(other.status == 401)
    }
  }

  @Test("With Redis away reads go on and logins are refused")
  func redisAway() async throws {
    var options = EdgeFixture.Options()
    options.redisURL = "redis://127.0.0.1:1/0"
    options.overrides = ""
    try await EdgeFixture.run(options) { edge in
      let read = try await edge.send("GET", "/api/v1/auth/me", token: edge.mint.token())
      #expect(read.status == 200)
      let login = try await edge.send("POST", "/api/v1/auth/login", body: "{}")
      #expect((login.status, login.errorCode ?? "") == (503, "UNAVAILABLE"))
      #expect(login.headers["retry-after"] == "1")
    }
  }

  @Test("The edge's own pages are there")
  func pages() async throws {
    try await EdgeFixture.run { edge in
      for path in ["/health", "/healthz", "/readyz", "/openapi.json", "/docs"] {
        let reply = try await edge.send("GET", path)
        #expect(reply.status == 200, "\(path)")
        #expect(reply.headers["x-request-id"]?.isEmpty == false)
      }
    }
  }
}
