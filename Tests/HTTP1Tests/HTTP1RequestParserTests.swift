import HTTP1
import HTTPCore
import Testing

@Suite("HTTP/1.1 request parser") struct HTTP1RequestParserTests {
  @Test("A request without a body becomes a head and an end", arguments: [1, 2, 7, 10_000])
  func simpleRequest(step: Int) throws {
    let text = """
      GET /api/v1/jobs?limit=2&x=%2F HTTP/1.1
      Host: api.example:8080
      X-Two:  a b \t
      X-Empty:


      """
    let transcript = Transcript(text.crlf, step: step)
    let request = try #require(transcript.requests.first)
    #expect(transcript.failure == nil)
    #expect(transcript.requests.count == 1)
    #expect(request.ended)
    #expect(transcript.isIdle)
    #expect(request.head.method == .get)
    #expect(String(decoding: request.head.path, as: UTF8.self) == "/api/v1/jobs")
    #expect(request.head.query.map { String(decoding: $0, as: UTF8.self) } == "limit=2&x=%2F")
    #expect(request.head.authority == "api.example:8080")
    #expect(request.head.headers["x-two"] == "a b")
    #expect(request.head.headers["X-EMPTY"] == "")
    #expect(request.exchange == HTTP1Exchange(keepAlive: true))
  }

  @Test("Pipelined requests with every kind of body come out whole", arguments: [1, 3, 64, 10_000])
  func pipelining(step: Int) {
    let text =
      "POST /a HTTP/1.1\nHost: h\nContent-Length: 5\n\n".crlf + "hello"
      + "POST /b HTTP/1.1\nHost: h\nTransfer-Encoding: Chunked\n\n".crlf
      + "3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n"
      + "GET /c HTTP/1.1\nHost: h\n\n".crlf
    let transcript = Transcript(text, step: step)
    #expect(transcript.failure == nil)
    let targets = transcript.requests.map { String(decoding: $0.head.target, as: UTF8.self) }
    #expect(targets == ["/a", "/b", "/c"])
    let bodies = transcript.requests.map { String(decoding: $0.body, as: UTF8.self) }
    #expect(bodies == ["hello", "abc0123456789", ""])
    #expect(transcript.requests.allSatisfy { $0.ended })
    #expect(transcript.requests.allSatisfy { !$0.head.headers.contains("x-trailer") })
    #expect(transcript.isIdle)
  }

  @Test("The end of one request leaves the next one's bytes in the input")
  func stopsAtEnd() {
    let parser = HTTP1RequestParser()
    let bytes = Array("GET /1 HTTP/1.1\nHost: h\n\nGET /2 HTTP/1.1\nHost: h\n\n".crlf.utf8)
    bytes.withUnsafeBytes { all in
      var input = all
      guard case .head = parser.next(&input) else { Issue.record("no head"); return }
      guard case .end = parser.next(&input) else { Issue.record("no end"); return }
      #expect(input.count == all.count / 2)
    }
  }

  @Test(
    "The connection is kept or closed as version and Connection say",
    arguments: [
      ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\n", false),
      ("HTTP/1.1", "Connection: foo, CLOSE\n", false), ("HTTP/1.0", "", false),
      ("HTTP/1.0", "Connection: keep-alive\n", true),
      ("HTTP/1.1", "Connection: keep-alive\nConnection: close\n", false),
    ]
  )
  func keepAlive(version: String, field: String, expected: Bool) throws {
    let transcript = Transcript("GET / \(version)\nHost: h\n\(field)\n".crlf)
    let request = try #require(transcript.requests.first)
    #expect(request.exchange.keepAlive == expected)
    #expect(request.exchange.isHTTP11 == (version == "HTTP/1.1"))
  }

  @Test("A client that waits for 100 Continue is recognised, only with a body and in HTTP/1.1")
  func expectContinue() throws {
    func put(_ version: String, _ fields: String) -> Transcript {
      Transcript("PUT / HTTP/\(version)\nHost: h\n\(fields)\n\n".crlf)
    }
    let with = put("1.1", "Expect: 100-Continue\nContent-Length: 3")
    #expect(try #require(with.requests.first).exchange.expectsContinue)
    let without = put("1.1", "Expect: 100-continue")
    #expect(try !#require(without.requests.first).exchange.expectsContinue)
    let old = put("1.0", "Expect: 100-continue\nContent-Length: 3")
    #expect(try !#require(old.requests.first).exchange.expectsContinue)
    #expect(put("1.1", "Expect: miracles\nContent-Length: 3").failure?.status == 417)
  }

  @Test(
    "An absolute target gives path and authority, which wins over Host",
    arguments: [
      ("http://other.example/p?q=1", "/p?q=1", "other.example"),
      ("HTTPS://other.example:444", "/", "other.example:444"),
      ("http://[::1]:80?x", "/?x", "[::1]:80"),
    ]
  )
  func absoluteTarget(target: String, origin: String, authority: String) throws {
    let transcript = Transcript("GET \(target) HTTP/1.1\nHost: h\n\n".crlf)
    let head = try #require(transcript.requests.first?.head, "\(transcript)")
    #expect(String(decoding: head.target, as: UTF8.self) == origin)
    #expect(head.authority == authority)
  }

  @Test("An upgrade is not taken and its body is still parsed")
  func upgradeIgnored() {
    let fields = "Host: h\nConnection: Upgrade\nUpgrade: h2c\n"
    let first = "POST / HTTP/1.1\n\(fields)Content-Length: 2\n\n".crlf + "ok"
    let transcript = Transcript(first + "OPTIONS * HTTP/1.1\n\(fields)\n".crlf)
    #expect(transcript.failure == nil)
    #expect(transcript.requests.map(\.body) == [Array("ok".utf8), []])
    #expect(transcript.requests.allSatisfy { $0.ended })
  }

  @Test("A request that is cut is not idle, and blank lines before one are forgiven")
  func idleness() {
    #expect(Transcript("\r\n\r\nGET / HTTP/1.1\nHost: h\n\n".crlf).requests.count == 1)
    #expect(Transcript("\r\n").isIdle)
    #expect(!Transcript("G").isIdle)
    #expect(!Transcript("POST / HTTP/1.1\nHost: h\nContent-Length: 2\n\n".crlf + "x").isIdle)
  }
}
