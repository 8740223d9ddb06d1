import HTTPClient
import HTTPCore
import Testing

@Suite("Server-side request forgery", .serialized) struct ServerSideForgeryTests {
  private let servers: FakeServers
  private let limits = HTTPClientLimits(deadline: .seconds(3))

  /// Names whose answers point inside, also beside an outside address.
  private static let names = [
    "inside.example": ["127.0.0.1"], "inside6.example": ["[::1]"],
    "mapped.example": ["[::ffff:127.0.0.1]"], "metadata.example": ["169.254.169.254"],
    "both.example": ["127.0.0.2", "127.0.0.9"], "dot.example.": ["127.0.0.1"],
  ]

  /// Ways to write an inside host.
  static let hosts = [
    "127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "0", "0.0.0.0", "localhost", "LOCALHOST",
    "localhost.", "127.0.0.1.", "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001",
    "0177.0.0.1", "127.0.0.0x1", "127.000.000.001", "0300.0250.0.1", "[::1]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fd00::1]", "[fe80::1]", "[fe80::1%25lo]", "169.254.169.254",
    "[fd00:ec2::254]", "100.64.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "198.18.0.1",
    "224.0.0.1", "255.255.255.255", "240.0.0.1", "user@127.0.0.1", "127.0.0.9@127.0.0.1",
    "ok:pw@127.0.0.1", "%31%32%37.0.0.1", "127。0。0。1", "１２７.0.0.1", "ⓛocalhost",
    "127.0.0.1%00.example", "inside.example", "inside6.example", "mapped.example",
    "metadata.example", "dot.example.", "a.localhost",
  ]

  /// Whole addresses that are refused whatever they lead to.
  static let addresses = [
    "file:///etc/passwd", "gopher://127.0.0.1/_x", "ftp://127.0.0.1/", "dict://127.0.0.1:11211/",
    "ldap://127.0.0.1/", "javascript:alert(1)", "//127.0.0.1/", "127.0.0.1", "http:/127.0.0.1/",
    "http://", "http:///x", "", "http://127.0.0.1:22/", "http://127.0.0.1:5432/",
    "http://127.0.0.1:6379/", "http://127.0.0.1:0/", "http://127.0.0.1:65536/",
    "http://127.0.0.9\\@127.0.0.1/", "http://127.0.0.1/\r\nX: y", "http://127.0.0.1/ x",
  ]

  init() throws {
    servers = try FakeServers.shared()
  }

  private func withPublicClient(_ body: (HTTPClient) async throws -> Void) async throws {
    var configuration = HTTPClientConfiguration()
    configuration.hostOverrides = Self.names
    try await withClient(configuration, body)
  }

  /// The listeners decide, not the answer.
  private func insideConnections(_ client: HTTPClient) async throws -> String {
    let request = HTTPRequest(.get, servers.base + "/inside")
    return String(decoding: try await client.execute(request, policy: .trusted).body, as: UTF8.self)
  }

  @Test("No way to write an inside address, direct or by redirect, reaches a listener there")
  func vectors() async throws {
    try await withPublicClient { client in
      let before = try await insideConnections(client)
      for host in Self.hosts {
        let url = "http://\(host):\(servers.port)/"
        try await expectRefusal(client, url)
        let target = PercentCoding.encode(url)
        for code in [302, 307] {
          try await expectRefusal(client, servers.base + "/redirect?code=\(code)&to=\(target)")
        }
      }
      #expect(try await insideConnections(client) == before)
    }
  }

  @Test("Other schemes, ports and broken addresses are refused before anything is sent")
  func malformed() async throws {
    try await withPublicClient { client in
      let before = try await insideConnections(client)
      for url in Self.addresses {
        let error = await clientError {
          try await client.execute(HTTPRequest(.get, url), policy: servers.policy)
        }
        #expect(error?.kind == .invalidURL, "\(url) \(String(describing: error))")
      }
      #expect(try await insideConnections(client) == before)
    }
  }

  @Test("Of a name's inside and outside addresses only the outside one is connected to")
  func mixedAnswer() async throws {
    try await withPublicClient { client in
      let before = try await insideConnections(client)
      for _ in 0..<20 {
        _ = try? await client.execute(
          HTTPRequest(.get, "http://both.example:\(servers.port)/echo"),
          policy: servers.policy,
          limits: limits
        )
      }
      #expect(try await insideConnections(client) == before)
    }
  }

  @Test("A connection that trusted requests left open is not used for a public one")
  func reusedConnection() async throws {
    try await withClient(loops: 1) { client in
      let request = HTTPRequest(.get, servers.base + "/echo")
      _ = try await client.execute(request, policy: .trusted)
      let exceptPort = HTTPClientPolicy.publicOnly(except: [
        HTTPEndpoint(address: [127, 0, 0, 77], port: servers.port)
      ])
      let error = await clientError { try await client.execute(request, policy: exceptPort) }
      #expect(error?.kind == .unreachable)
    }
  }

  @Test("A proxy that the environment names is not asked, and the text for users is one")
  func uniformText() async throws {
    #expect(HTTPClientError.publicText == "The address could not be fetched.")
    try await withPublicClient { client in
      let closed = await clientError {
        try await client.execute(HTTPRequest(.get, "http://127.0.0.1:1/"), policy: .trusted)
      }
      #expect(closed?.kind == .unreachable)
      let refused = await clientError {
        try await client.execute(
          HTTPRequest(.get, "http://inside.example:\(servers.port)/"),
          policy: servers.policy
        )
      }
      #expect(refused?.kind == closed?.kind)
    }
  }

  @Test("The listeners do see a connection that is let through")
  func control() async throws {
    try await withPublicClient { client in
      let before = try await insideConnections(client)
      _ = try? await client.execute(
        HTTPRequest(.get, "http://inside.example:\(servers.port)/"),
        policy: .trusted
      )
      #expect(try await insideConnections(client) != before)
    }
  }

  private func expectRefusal(_ client: HTTPClient, _ url: String) async throws {
    let error = await clientError {
      try await client.execute(HTTPRequest(.get, url), policy: servers.policy, limits: limits)
    }
    #expect(error?.kind == .unreachable || error?.kind == .invalidURL, "\(url) \(error as Any)")
  }
}
