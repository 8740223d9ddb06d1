import HTTP1
import HTTPCore
import Testing

/// A connection's bytes that must be refused, and how.
struct RefusedRequest: CustomTestStringConvertible, Sendable {
  let status: Int
  let text: String

  init(_ status: Int, _ text: String) {
    self.status = status
    self.text = text
  }

  /// A request whose field lines are given with `\n` for CR LF.
  static func fields(_ status: Int, _ fields: String, body: String = "") -> RefusedRequest {
    RefusedRequest(status, "POST / HTTP/1.1\nHost: h\n\(fields)\n\n".crlf + body)
  }

  var testDescription: String {
    "\(status) \(String(text.debugDescription.prefix(110)))"
  }
}

@Suite("HTTP/1.1 refusals") struct RefusalTests {
  static let requestLines: [RefusedRequest] = [
    RefusedRequest(400, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"),
    RefusedRequest(400, " GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\nHost: h\n\n"),
    RefusedRequest(400, "GET / HTTP/1.1\rHost: h\r\r"),
    RefusedRequest(400, "GET /\r\n\r\n"),
    RefusedRequest(400, "GET / http/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.10\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/01.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1,1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET / ICY/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET path HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET * HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET /a\u{00} HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET /ü HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET /<a> HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET http:/// HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "G(T / HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(501, "get / HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(501, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(501, "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(501, "FOO / HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest(505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
    RefusedRequest(505, "GET / HTTP/0.9\r\nHost: h\r\n\r\n"),
    RefusedRequest(505, "GET / HTTP/1.2\r\nHost: h\r\n\r\n"),
    RefusedRequest(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  ]

  static let fields: [RefusedRequest] = [
    RefusedRequest(400, "GET / HTTP/1.1\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: h:x\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: h,i\r\nHost: i\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\n Host: h\r\n\r\n"),
    .fields(400, "Name : v"), .fields(400, "Na me: v"), .fields(400, ": v"),
    .fields(400, "NoColon"), .fields(400, "A: b\n folded"), .fields(400, "A: b\n\tfolded"),
    .fields(400, "A:\n b"), .fields(400, "A: b\rB: c"), .fields(400, "A: \rb"),
    .fields(400, "A: \u{00}"), .fields(400, "A: \u{01}"), .fields(400, "A: \u{7F}"),
    .fields(400, "A\u{00}: b"), .fields(400, "Ä: b"), .fields(400, "X_User: b"),
    .fields(400, "A(: b"), .fields(400, "\u{0B}A: b"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: h\r\nA: b\nB: c\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: h\r\nA: b\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: h\r\n\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n"),
    RefusedRequest(400, "GET / HTTP/1.1\r\nHost: h\r\n\rX"),
  ]

  static let framing: [RefusedRequest] = [
    .fields(400, "Content-Length: 5\nTransfer-Encoding: chunked", body: "0\r\n\r\n"),
    .fields(400, "Transfer-Encoding: chunked\nContent-Length: 5", body: "0\r\n\r\n"),
    .fields(400, "Transfer-Encoding: chunked\nContent-Length: 0", body: "0\r\n\r\n"),
    .fields(400, "Content-Length: 5\nContent-Length: 5", body: "hello"),
    .fields(400, "Content-Length: 5\nContent-Length: 6", body: "hello"),
    .fields(400, "Content-Length: 5, 5", body: "hello"), .fields(400, "Content-Length: +5"),
    .fields(400, "Content-Length: -5"), .fields(400, "Content-Length: 0x5"),
    .fields(400, "Content-Length: 5 5"), .fields(400, "Content-Length:"),
    .fields(400, "Content-Length: 5;"), .fields(400, "Content-Length: 1_000"),
    .fields(400, "Content-Length: 18446744073709551616"),
    .fields(400, "Content-Length: 99999999999999999999999999"),
    .fields(400, "Content-Length : 5", body: "hello"),
    .fields(400, "Content_Length: 5", body: "hello"),
    .fields(400, "Transfer-Encoding: chunked\nTransfer-Encoding: chunked", body: "0\r\n\r\n"),
    .fields(400, "Transfer-Encoding: chunked, chunked", body: "0\r\n\r\n"),
    .fields(400, "Transfer-Encoding: chunked, identity", body: "0\r\n\r\n"),
    .fields(400, "Transfer-Encoding: identity"), .fields(400, "Transfer-Encoding: xchunked"),
    .fields(400, "Transfer-Encoding: \"chunked\""), .fields(400, "Transfer-Encoding: chunked;a=b"),
    .fields(400, "Transfer-Encoding:"), .fields(400, "Transfer-Encoding: chunked,"),
    .fields(400, "Transfer-Encoding: \u{0B}chunked"),
    .fields(400, "Transfer-Encoding : chunked"), .fields(400, "Transfer-Encoding\n : chunked"),
    .fields(501, "Transfer-Encoding: gzip, chunked", body: "0\r\n\r\n"),
    RefusedRequest(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  ]

  static let chunks: [RefusedRequest] = [
    "x\r\n", "-1\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1 \r\na\r\n", "\r\n",
    "1\na\r\n0\r\n\r\n", "1\ra\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "1\r\naa\r\n0\r\n\r\n",
    "1\r\na0\r\n\r\n", "1\r\na\r\r\n0\r\n\r\n", "0\n\n", "0\r\n\n", "0\r\nX: y\n\r\n",
    "0\r\nX : y\r\n\r\n", "1;\nx\r\na\r\n", "1;a=b\n\r\na\r\n", "1;a\r b\r\na\r\n",
    "FFFFFFFFFFFFFFFFF\r\n", "1\u{00}\r\na\r\n", "1;\u{01}\r\na\r\n",
  ].map { .fields(400, "Transfer-Encoding: chunked", body: $0) }

  @Test("A malformed request line is refused", arguments: requestLines)
  func refusesRequestLine(refused: RefusedRequest) { expectRefusal(refused) }

  @Test("A malformed field is refused", arguments: fields)
  func refusesField(refused: RefusedRequest) { expectRefusal(refused) }

  @Test("Ambiguous framing is refused", arguments: framing)
  func refusesFraming(refused: RefusedRequest) { expectRefusal(refused) }

  @Test("Malformed chunks are refused", arguments: chunks)
  func refusesChunk(refused: RefusedRequest) { expectRefusal(refused) }

  private func expectRefusal(_ refused: RefusedRequest) {
    let whole = Transcript(refused.text)
    #expect(whole.failure?.status.rawValue == refused.status, "\(whole)")
    #expect(whole.requests.allSatisfy { !$0.ended }, "\(whole)")
    // However the bytes are cut, the answer is the same.
    let bytewise = Transcript(refused.text, step: 1)
    #expect(bytewise.failure == whole.failure)
  }
}
