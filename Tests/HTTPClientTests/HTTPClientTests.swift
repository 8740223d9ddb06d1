import EventLoop
import HTTPClient
import HTTPCore
import Testing

@Suite("HTTP client") struct HTTPClientTests {
  private let servers: FakeServers

  init() throws {
    servers = try FakeServers.shared()
  }

  private func execute(
    _ client: HTTPClient,
    _ path: String,
    limits: HTTPClientLimits = HTTPClientLimits()
  ) async throws -> HTTPResponse {
    try await client.execute(
      HTTPRequest(.get, servers.base + path),
      policy: .trusted,
      limits: limits
    )
  }

  @Test("Status, fields and body of a response arrive")
  func response() async throws {
    try await withClient { client in
      let response = try await execute(client, "/echo?a=%2F&b=..")
      #expect(response.status == 200)
      #expect(response.headers["content-type"] == "application/json")
      #expect(response.headers["x-twice"] == "a")
      #expect(try Echo(response).path == "/echo?a=%2F&b=..")
      #expect(try await execute(client, "/status?code=503").status == 503)
      #expect(try await execute(client, "/status?code=404").body == Array("body".utf8))
    }
  }

  @Test("Method, fields and body are sent as given", arguments: HTTPMethod.allCases)
  func request(method: HTTPMethod) async throws {
    let hasBody = [.post, .put, .patch, .delete].contains(method)
    try await withClient { client in
      let request = HTTPRequest(
        method,
        servers.base + "/echo//a/../b",
        headers: ["X-A": "1", "X-Empty": ""],
        body: hasBody ? Array(repeating: UInt8(ascii: "z"), count: 100_000) : nil
      )
      let response = try await client.execute(request, policy: .trusted)
      guard method != .head else {
        #expect(response.body.isEmpty && response.status == 200)
        return
      }
      let echo = try Echo(response)
      #expect(echo.method == method.rawValue)
      #expect(echo.path == "/echo//a/../b")
      #expect(echo.headers["x-a"] == "1" && echo.headers["x-empty"] == "")
      #expect(echo.headers["user-agent"] == "OneShot/1.0")
      #expect(echo.headers["expect"] == nil && echo.headers["accept-encoding"] == nil)
      #expect(echo.body.utf8.count == (hasBody ? 100_000 : 0))
      #expect(echo.headers["content-length"] == (hasBody ? "100000" : nil))
    }
  }

  @Test("A POST without a body says that its length is 0")
  func emptyPost() async throws {
    try await withClient { client in
      let request = HTTPRequest(.post, servers.base + "/echo")
      let echo = try Echo(try await client.execute(request, policy: .trusted))
      #expect(echo.headers["content-length"] == "0")
    }
  }

  @Test("Requests of one loop use their connection again")
  func reuse() async throws {
    try await withClient(loops: 1) { client in
      var connections: Set<Int> = []
      for _ in 0..<5 {
        connections.insert(try Echo(try await execute(client, "/echo")).connection)
      }
      #expect(connections.count == 1)
    }
  }

  @Test("200 requests at once are all answered")
  func concurrency() async throws {
    try await withClient { client in
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<200 {
          group.addTask { try await execute(client, "/echo").status.rawValue }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(statuses == Array(repeating: 200, count: 200))
    }
  }

  @Test("An interim response is not the response")
  func interim() async throws {
    try await withClient { client in
      let response = try await execute(client, "/hints")
      #expect(response.status == 200)
      #expect(response.headers["x-interim"] == nil)
      #expect(response.body == Array("final".utf8))
    }
  }

  @Test("A body is taken up to the limit and refused one byte above")
  func bodyLimit() async throws {
    try await withClient { client in
      let limits = HTTPClientLimits(responseBytes: 100_000)
      let full = try await execute(client, "/big?bytes=100000", limits: limits)
      #expect(full.body.count == 100_000)
      for path in ["/big?bytes=100001", "/endless"] {
        let error = await clientError { try await execute(client, path, limits: limits) }
        #expect(error?.kind == .tooLarge)
      }
      let flood = await clientError { try await execute(client, "/headers") }
      #expect(flood?.kind == .tooLarge)
    }
  }

  @Test("Content codings are not undone, so nothing can blow up here")
  func noDecoding() async throws {
    try await withClient { client in
      let response = try await execute(client, "/gzip")
      #expect(response.body.starts(with: [0x1F, 0x8B]))
    }
  }

  @Test("A server that never answers ends at the deadline")
  func deadline() async throws {
    try await withClient { client in
      let limits = HTTPClientLimits(deadline: .milliseconds(200))
      let error = await clientError { try await execute(client, "/hang", limits: limits) }
      #expect(error?.kind == .timedOut)
    }
  }

  @Test("A cancelled task gives its request up at once")
  func cancellation() async throws {
    try await withClient { client in
      let task = Task { try await execute(client, "/hang?name=cancelled") }
      _ = try await execute(client, "/arrived?of=cancelled")
      task.cancel()
      let error = await clientError { try await task.value }
      #expect(error?.kind == .cancelled)
      let late = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await execute(client, "/echo")
      }
      #expect(await clientError { try await late.value }?.kind == .cancelled)
    }
  }

  @Test("Shutting down ends what is under way and refuses what comes")
  func shutdown() async throws {
    try await withClient { client in
      let task = Task { try await execute(client, "/hang?name=shutdown") }
      _ = try await execute(client, "/arrived?of=shutdown")
      await client.shutdown()
      #expect(await clientError { try await task.value }?.kind == .cancelled)
      #expect(await clientError { try await execute(client, "/echo") }?.kind == .cancelled)
    }
  }

  @Test(
    "Broken responses and refused connections are unreachable",
    arguments: [
      "/close", "/cut", "/garbage",
    ]
  )
  func broken(path: String) async throws {
    try await withClient { client in
      #expect(await clientError { try await execute(client, path) }?.kind == .unreachable)
    }
  }

  @Test(
    "Fields that would split the request are refused",
    arguments: [
      ["x-a": "b\r\nx-c: d"], ["x-a": "b\u{00}"], ["bad name": "b"], ["": "b"],
      ["Content-Length": "3"], ["Host": "other"], ["Transfer-Encoding": "chunked"],
    ] as [HTTPHeaders]
  )
  func fields(headers: HTTPHeaders) async throws {
    try await withClient { client in
      let request = HTTPRequest(.get, servers.base + "/echo", headers: headers)
      let error = await clientError { try await client.execute(request, policy: .trusted) }
      #expect(error?.kind == .invalidRequest)
    }
  }
}
