internal import HTTPCore

/// Decides how a request's body is delimited (RFC 9112 §6), stricter than the RFC allows.
///
/// Anything that two implementations could read differently is refused: both fields together,
/// a repeated or listed length, any coding but a single `chunked`.
struct BodyFramingRule {
  let isHTTP11: Bool

  /// More digits than this are not a length that we would take.
  private static let maximumDigits = 15

  func framing(of headers: HTTPHeaders) throws(HTTP1Failure) -> HTTP1BodyFraming {
    let lengths = headers.count(of: "content-length")
    let codings = headers.values("transfer-encoding")
    guard lengths == 0 || codings.isEmpty else {
      throw HTTP1Failure(400, .contentLengthWithTransferEncoding)
    }
    if !codings.isEmpty { return try chunked(codings) }
    guard lengths > 0 else { return .none }
    guard lengths == 1, let digits = headers.valueBytes("content-length") else {
      throw HTTP1Failure(400, .repeatedContentLength)
    }
    return try length(digits)
  }

  private func chunked(_ codings: [String]) throws(HTTP1Failure) -> HTTP1BodyFraming {
    guard isHTTP11 else { throw HTTP1Failure(400, .transferEncodingInHTTP10) }
    guard codings.count == 1, let value = codings.first else {
      throw HTTP1Failure(400, .malformedTransferEncoding)
    }
    if value.lowercased() == "chunked" { return .chunked }
    let names = FieldList.tokens(value)
    let known = names.filter { $0 == "chunked" }.count
    // `gzip, chunked` is well formed but not implemented; the rest has no certain end.
    throw known == 1 && names.last == "chunked" && names.count > 1
      ? HTTP1Failure(501, .unknownTransferCoding) : HTTP1Failure(400, .malformedTransferEncoding)
  }

  private func length(_ digits: ArraySlice<UInt8>) throws(HTTP1Failure) -> HTTP1BodyFraming {
    guard
      !digits.isEmpty, digits.count <= Self.maximumDigits, digits.allSatisfy(ASCII.isDigit)
    else { throw HTTP1Failure(400, .malformedContentLength) }
    let value = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    return value == 0 ? .none : .length(value)
  }
}
