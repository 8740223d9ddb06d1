import HTTP1
import HTTPCore
import Testing

@Suite("HTTP/1.1 response writer") struct HTTP1ResponseWriterTests {
  private let moment: Int64 = 784_111_777

  private func written(
    _ head: HTTPResponseHead,
    _ exchange: HTTP1Exchange,
    _ body: HTTP1ResponseBody,
    close: Bool = false,
    parts: [String] = []
  ) -> (text: String, keepAlive: Bool) {
    var writer = HTTP1ResponseWriter()
    var buffer: [UInt8] = []
    writer.appendHead(
      head,
      for: exchange,
      body: body,
      unixSeconds: moment,
      close: close,
      to: &buffer
    )
    for part in parts { writer.appendBody(Array(part.utf8), to: &buffer) }
    writer.appendEnd(to: &buffer)
    return (String(decoding: buffer, as: UTF8.self), writer.keepAlive)
  }

  private let kept = HTTP1Exchange(keepAlive: true)

  @Test("An answer of known length carries it and the date")
  func fixedLength() {
    let head = HTTPResponseHead(status: 200, headers: ["content-type": "text/plain"])
    let (text, keepAlive) = written(head, kept, .length(5), parts: ["he", "llo"])
    let expected = """
      HTTP/1.1 200 OK
      content-type: text/plain
      content-length: 5
      date: Sun, 06 Nov 1994 08:49:37 GMT

      hello
      """
    #expect(text == expected.crlf)
    #expect(keepAlive)
  }

  @Test("A stream is chunked for HTTP/1.1 and ends with the connection for HTTP/1.0")
  func streams() {
    let parts = ["0123456789abcdef", "", "x"]
    let (chunked, _) = written(.init(status: 200), kept, .stream, parts: parts)
    #expect(chunked.hasSuffix("\r\n\r\n10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n"))
    #expect(chunked.contains("transfer-encoding: chunked\r\n"))
    let old = HTTP1Exchange(isHTTP11: false, keepAlive: true)
    let (plain, keepAlive) = written(.init(status: 200), old, .stream, parts: ["abc"])
    #expect(plain.hasSuffix("\r\n\r\nabc"))
    #expect(plain.contains("connection: close\r\n"))
    #expect(!plain.contains("chunked"))
    #expect(!keepAlive)
  }

  @Test("HEAD, 204 and 304 have no body")
  func withoutBody() {
    let head = HTTP1Exchange(keepAlive: true, isHead: true)
    let (text, keepAlive) = written(.init(status: 200), head, .length(3), parts: ["abc"])
    #expect(text.contains("content-length: 3\r\n") && text.hasSuffix("\r\n\r\n") && keepAlive)
    for status in [HTTPStatus(rawValue: 204), HTTPStatus(rawValue: 304)] {
      let (text, _) = written(.init(status: status), kept, .length(3), parts: ["abc"])
      #expect(!text.contains("content-length") && text.hasSuffix("\r\n\r\n"))
    }
  }

  @Test("The connection closes when the client, the server or a short body says so")
  func closing() {
    #expect(!written(.init(status: 200), HTTP1Exchange(), .length(0)).keepAlive)
    #expect(!written(.init(status: 200), kept, .length(0), close: true).keepAlive)
    #expect(!written(.init(status: 200), kept, .length(4), parts: ["abc"]).keepAlive)
    let old = HTTP1Exchange(isHTTP11: false, keepAlive: true)
    let answer = written(.init(status: 200), old, .length(0)).text
    #expect(answer.contains("connection: keep-alive\r\n"))
  }

  @Test("A value cannot start a new field and framing fields of the head are left out")
  func injection() {
    let head = HTTPResponseHead(
      status: 200,
      headers: [
        "x-a": "b\r\nset-cookie: c", "bad name": "d", "Content-Length": "9",
        "transfer-encoding": "chunked", "connection": "upgrade",
      ]
    )
    let (text, _) = written(head, kept, .length(0))
    #expect(text.contains("x-a: b  set-cookie: c\r\n"))
    #expect(!text.contains("bad name") && !text.contains("chunked") && !text.contains("upgrade"))
    #expect(text.contains("content-length: 0\r\n") && !text.contains("9\r\nd"))
  }
}

@Suite("HTTP values") struct HTTPCoreTests {
  @Test(
    "Dates are right across leap years and before 1970",
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
      (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
      (1_795_219_199, "Fri, 20 Nov 2026 23:59:59 GMT"),
    ] as [(Int64, String)]
  )
  func dates(seconds: Int64, text: String) {
    #expect(HTTPDate.format(unixSeconds: seconds) == text)
  }

  @Test("The basic ISO form is the one AWS signs")
  func basicISO() {
    #expect(CivilTime(unixSeconds: 1_767_225_600).basicISO8601 == "20260101T000000Z")
  }

  @Test("Fields are found whatever their case, replaced and removed")
  func headers() {
    var headers: HTTPHeaders = ["Accept": "a", "X-B": "b", "accept": "c"]
    #expect(headers["ACCEPT"] == "a")
    #expect(headers.values("accept") == ["a", "c"])
    headers.set("accept", "d")
    #expect(headers.map(\.name) == ["x-b", "accept"])
    headers.remove("x-b")
    #expect(headers == ["accept": "d"])
    #expect(headers["missing"] == nil)
  }

  @Test("Percent-coding round-trips and refuses broken escapes")
  func percent() {
    let text = "a b+%/ü?&=~"
    #expect(PercentCoding.encode(text) == "a%20b%2B%25%2F%C3%BC%3F%26%3D~")
    #expect(PercentCoding.encode("a/b", keepingSlash: true) == "a/b")
    #expect(PercentCoding.decodeText(PercentCoding.encode(text).utf8) == text)
    for broken in ["%", "%1", "%zz", "a%2", "%ff"] {
      #expect(PercentCoding.decodeText(broken.utf8) == nil)
    }
  }

  @Test("A query's pairs are decoded once, and a repeated name is noticed")
  func query() throws {
    let query = try #require(HTTPQuery("a=1&b=%2525+x&&c&a=2".utf8))
    #expect(query["a"] == "1")
    #expect(query.only("a") == nil)
    #expect(query.only("b") == "%25 x")
    #expect(query.only("c") == "")
    #expect(HTTPQuery("a=%".utf8) == nil)
    #expect(HTTPQuery(String(repeating: "a&", count: 65).utf8) == nil)
  }
}
