import EventLoop
import Foundation
import Testing

@testable import EdgeProxy

@Suite("Framing of requests on a real socket")
struct FramingTests {
  @Test(
    "Requests whose end is ambiguous are refused and the connection ends",
    arguments: [
      "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
      "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: +5\r\n\r\nhello",
      "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 5, 5\r\n\r\nhello",
      "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
      "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
      "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
      "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", "GET /healthz HTTP/1.1\r\n\r\n",
      "GET /healthz HTTP/1.1\nhost: x\n\n",
      "GET /healthz HTTP/1.1\r\nhost: x\r\na: b\rc: d\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nhost: x\r\n folded: x\r\n\r\n",
      "GET  /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nhost: x\r\nbad name: x\r\n\r\n",
      "GET /health\u{0}z HTTP/1.1\r\nhost: x\r\n\r\n",
    ]
  )
  func ambiguous(request: String) async throws {
    try await EdgeFixture.run { edge in
      let text = try await edge.raw(request + "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
      let reply = RawResponse(Array(text.utf8))
      #expect([400, 501, 413].contains(reply.status), "\(text.prefix(80))")
      #expect(text.components(separatedBy: "HTTP/1.1 ").count == 2, "one answer only")
      #expect(reply.headers["connection"] == "close")
      #expect(reply.errorCode != nil)
    }
  }

  @Test(
    "Other methods and versions have their own status",
    arguments: [
      ("TRACE / HTTP/1.1\r\nhost: x\r\n\r\n", 501),
      ("CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", 501),
      ("GET / HTTP/2.1\r\nhost: x\r\n\r\n", 505), ("PRI * HTTP/1.1\r\nhost: x\r\n\r\n", 501),
      ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nhost: x\r\n\r\n", 414),
      ("GET / HTTP/1.1\r\nhost: x\r\nbig: \(String(repeating: "a", count: 40_000))\r\n\r\n", 431),
    ]
  )
  func statuses(request: String, status: Int) async throws {
    try await EdgeFixture.run { edge in
      let text = try await edge.raw(request)
      #expect(RawResponse(Array(text.utf8)).status == status)
    }
  }

  @Test("Requests that come together are answered in order")
  func pipelining() async throws {
    try await EdgeFixture.run { edge in
      let token = try await edge.mint.token()
      let one = "GET /api/v1/jobs/j1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(token)\r\n\r\n"
      let lost = "GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n"
      let last =
        "GET /api/v1/jobs/j2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        + "authorization: Bearer \(token)\r\n\r\n"
      let text = try await edge.raw(one + lost + one + last)
      let statuses = text.components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0.prefix(3) }
      #expect(statuses == ["200", "404", "200", "200"])
      let first = try #require(text.range(of: #""id":"j1""#))
      let second = try #require(text.range(of: #""id":"j2""#))
      #expect(first.lowerBound < second.lowerBound)
    }
  }

  @Test("A chunked body and a client that waits for 100 are served")
  func chunked() async throws {
    try await EdgeFixture.run { edge in
      let body = #"{"email":"a@x.example","password":"right"}"#
      let half = body.utf8.count / 2
      let text = try await edge.raw(
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
          + "content-type: application/json\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
          + String(half, radix: 16) + "\r\n" + body.prefix(half) + "\r\n"
          + String(body.utf8.count - half, radix: 16) + "\r\n" + body.dropFirst(half)
          + "\r\n0\r\n\r\n"
      )
      #expect(text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
    }
  }

  @Test("A body over the limit without a declared length is refused on the way")
  func chunkedTooLarge() async throws {
    try await EdgeFixture.run { edge in
      let piece = String(repeating: "x", count: 20_000)
      let text = try await edge.raw(
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
          + "4e20\r\n\(piece)\r\n0\r\n\r\n"
      )
      #expect(RawResponse(Array(text.utf8)).status == 413)
    }
  }

  @Test("A head that does not end, and a body that stops, end the connection")
  func slow() async throws {
    var options = EdgeFixture.Options()
    options.limits.headTime = .seconds(1)
    options.limits.bodyTime = .seconds(1)
    options.limits.idleTime = .seconds(1)
    try await EdgeFixture.run(options) { edge in
      for request in [
        "", "PRI", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nhost: x\r\n",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{",
      ] {
        let start = MonotonicInstant.now
        let text = try await edge.raw(request)
        #expect(start.duration(to: .now) < .seconds(9))
        #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 408"), "\(text.prefix(60))")
      }
    }
  }
}
