import HTTPClient
import HTTPCore
import Testing

@Suite("Redirects") struct RedirectTests {
  private let servers: FakeServers

  init() throws {
    servers = try FakeServers.shared()
  }

  @Test("As many redirects as the limit says are followed, not one more")
  func limit() async throws {
    try await withClient { client in
      let three = HTTPRequest(.get, servers.base + "/chain?left=3")
      let response = try await client.execute(three, policy: servers.policy)
      #expect(response.body == Array("end".utf8))
      #expect(response.url == servers.base + "/chain?left=0")
      let four = HTTPRequest(.get, servers.base + "/chain?left=4")
      let error = await clientError { try await client.execute(four, policy: servers.policy) }
      #expect(error?.kind == .tooManyRedirects)
      let none = HTTPClientLimits(redirects: 0)
      #expect(try await client.execute(four, policy: .trusted, limits: none).status == 302)
    }
  }

  @Test(
    "The method is kept or becomes GET as the code says",
    arguments: [
      (301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST"),
    ]
  )
  func method(code: Int, expected: String) async throws {
    try await withClient { client in
      let request = HTTPRequest(
        .post,
        servers.base + "/redirect?code=\(code)&to=/echo",
        headers: ["content-type": "text/plain"],
        body: Array("hello".utf8)
      )
      let echo = try Echo(try await client.execute(request, policy: .trusted))
      #expect(echo.method == expected)
      #expect(echo.body == (expected == "POST" ? "hello" : ""))
      #expect((echo.headers["content-type"] != nil) == (expected == "POST"))
    }
  }

  @Test("Credentials stay with the origin they were meant for")
  func credentials() async throws {
    var configuration = HTTPClientConfiguration()
    configuration.hostOverrides = ["other.example": ["127.0.0.9"]]
    try await withClient(configuration) { client in
      let headers: HTTPHeaders = ["Authorization": "Bearer t", "Cookie": "c", "X-A": "1"]
      func echo(_ target: String) async throws -> Echo {
        let url = servers.base + "/redirect?to=\(PercentCoding.encode(target))"
        return try Echo(
          try await client.execute(HTTPRequest(.get, url, headers: headers), policy: .trusted)
        )
      }
      let same = try await echo("/echo")
      #expect(same.headers["authorization"] == "Bearer t" && same.headers["cookie"] == "c")
      let other = try await echo("http://other.example:\(servers.port)/echo")
      #expect(other.headers["authorization"] == nil && other.headers["cookie"] == nil)
      #expect(other.headers["x-a"] == "1")
    }
  }
}
