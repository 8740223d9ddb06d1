internal import HTTPCore

/// Turns the spans of a parsed head into an ``HTTPRequestHead`` and checks what llhttp leaves open.
struct HeadBuilder {
  private let bytes: UnsafeRawBufferPointer
  private let record: ParseRecord
  private let isHTTP11: Bool
  private let limits: HTTP1Limits

  init(_ bytes: UnsafeRawBufferPointer, _ driver: LlhttpDriver, _ limits: HTTP1Limits) {
    self.bytes = bytes
    self.limits = limits
    record = driver.seen
    isHTTP11 = driver.minorVersion == 1
  }

  func build() throws(HTTP1Failure) -> (HTTPRequestHead, HTTP1Exchange) {
    let method = try checkedMethod()
    guard record.target.count <= limits.targetBytes else {
      throw HTTP1Failure(414, .targetTooLong)
    }
    let headers = try makeHeaders()
    let target = try RequestTarget(UnsafeRawBufferPointer(rebasing: bytes[record.target]), method)
    let host = try checkedHost(headers)
    var exchange = HTTP1Exchange(isHTTP11: isHTTP11, isHead: method == .head)
    exchange.body = try BodyFramingRule(isHTTP11: isHTTP11).framing(of: headers)
    exchange.keepAlive = keepsAlive(headers)
    exchange.expectsContinue = try expectsContinue(headers, exchange.body)
    let head = HTTPRequestHead(
      method: method,
      target: target.originForm,
      authority: target.authority ?? host,
      headers: headers
    )
    return (head, exchange)
  }

  private func checkedMethod() throws(HTTP1Failure) -> HTTPMethod {
    let end = bytes.firstIndex(of: ASCII.space) ?? 0
    guard let method = HTTPMethod(bytes: UnsafeRawBufferPointer(rebasing: bytes[..<end])) else {
      throw HTTP1Failure(501, .unknownMethod)
    }
    return method
  }

  private func makeHeaders() throws(HTTP1Failure) -> HTTPHeaders {
    guard record.fields.count <= limits.fields else { throw HTTP1Failure(431, .tooManyFields) }
    var headers = HTTPHeaders(adopting: bytes, reserving: record.fields.count)
    for field in record.fields {
      guard isAcceptable(name: field.name) else { throw HTTP1Failure(400, .malformedField) }
      headers.append(nameAt: field.name, valueAt: trimmed(field.value))
    }
    return headers
  }

  /// `_` is refused because gateways map it to `-` and so let a client forge a trusted field.
  private func isAcceptable(name: Range<Int>) -> Bool {
    !name.isEmpty
      && bytes[name].allSatisfy { ASCII.isToken($0) && $0 != UInt8(ascii: "_") }
  }

  private func trimmed(_ value: Range<Int>) -> Range<Int> {
    var end = value.upperBound
    while end > value.lowerBound, bytes[end - 1] == ASCII.space || bytes[end - 1] == ASCII.tab {
      end -= 1
    }
    var start = value.lowerBound
    while start < end, bytes[start] == ASCII.space || bytes[start] == ASCII.tab {
      start += 1
    }
    return start..<end
  }

  private func checkedHost(_ headers: HTTPHeaders) throws(HTTP1Failure) -> String {
    switch headers.count(of: "host") {
    case 0 where isHTTP11: throw HTTP1Failure(400, .missingHost)
    case 0: return ""
    case 1: break
    default: throw HTTP1Failure(400, .repeatedHost)
    }
    guard let host = headers["host"], Authority.isValid(host.utf8) else {
      throw HTTP1Failure(400, .malformedHost)
    }
    return host
  }

  private func keepsAlive(_ headers: HTTPHeaders) -> Bool {
    guard headers.contains("connection") else { return isHTTP11 }
    let tokens = headers.values("connection").flatMap { FieldList.tokens($0) }
    if tokens.contains("close") { return false }
    return isHTTP11 || tokens.contains("keep-alive")
  }

  private func expectsContinue(
    _ headers: HTTPHeaders,
    _ body: HTTP1BodyFraming
  ) throws(HTTP1Failure) -> Bool {
    let expectations = headers.values("expect")
    guard !expectations.isEmpty, isHTTP11 else { return false }
    guard expectations.allSatisfy({ $0.lowercased() == "100-continue" }) else {
      throw HTTP1Failure(417, .unknownExpectation)
    }
    return body != .none
  }
}

/// Lists of tokens in field values.
enum FieldList {
  /// The tokens between commas and white space, in lower case.
  static func tokens(_ value: String) -> [String] {
    value.lowercased().split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\t" })
      .map(String.init)
  }
}
