internal import HTTPCore

/// The ids under which a request is found again: its own, and that of the trace it belongs to.
struct RequestIdentity: Sendable, Equatable {
  /// Answered as `X-Request-Id`.
  let requestID: String
  /// `traceparent` for the calls that the request makes (W3C Trace Context).
  let traceParent: String
  /// `tracestate` as it came, when it belongs to the trace.
  let traceState: String?

  /// Longest `tracestate` that is passed on.
  private static let maxTraceStateBytes = 512

  /// Takes the client's ids where they are well-formed and makes new ones elsewhere.
  ///
  /// A trace goes on under a new parent id. It is not sampled because a stranger asks for it.
  init(_ headers: HTTPHeaders, random: inout some RandomNumberGenerator) {
    if let given = headers["x-request-id"], Self.isRequestID(given) {
      requestID = given
    } else {
      requestID = Self.hex(random.next()) + Self.hex(random.next())
    }
    let parent = headers.valueBytes("traceparent").flatMap(Self.traceID)
    let trace = parent ?? Self.hex(random.next()) + Self.hex(random.next() | 1)
    traceParent = "00-\(trace)-\(Self.hex(random.next() | 1))-00"
    traceState =
      parent == nil
      ? nil : headers["tracestate"].flatMap { Self.isTraceState($0) ? $0 : nil }
  }

  /// 32 hexadecimal digits.
  var traceID: String { String(traceParent.dropFirst(3).prefix(32)) }

  private static func isRequestID(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        ASCII.isDigit(byte) || ASCII.isLetter(byte) || byte == UInt8(ascii: ".")
          || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
      }
  }

  private static func isTraceState(_ text: String) -> Bool {
    text.utf8.count <= maxTraceStateBytes && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
  }

  /// The trace id of a `traceparent`; a version above 00 may be longer and is read by its beginning.
  private static func traceID(_ value: ArraySlice<UInt8>) -> String? {
    let bytes = Array(value)
    guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash else {
      return nil
    }
    let version = bytes[..<2]
    guard isLowerHex(version), !version.elementsEqual("ff".utf8) else { return nil }
    let isLonger = bytes.count > 55
    guard !isLonger || (!version.elementsEqual("00".utf8) && bytes[55] == dash) else { return nil }
    let (trace, parent) = (bytes[3..<35], bytes[36..<52])
    guard
      isLowerHex(trace), isLowerHex(parent), isLowerHex(bytes[53..<55]),
      trace.contains(where: { $0 != zero }), parent.contains(where: { $0 != zero })
    else { return nil }
    return String(decoding: trace, as: UTF8.self)
  }

  private static let dash = UInt8(ascii: "-")
  private static let zero = UInt8(ascii: "0")

  private static func isLowerHex(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.allSatisfy { ASCII.isDigit($0) || ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "f")) }
  }

  private static func hex(_ value: UInt64) -> String {
    let digits = StaticString("0123456789abcdef").utf8Start
    return String(unsafeUninitializedCapacity: 16) { buffer in
      for index in 0..<16 {
        buffer[index] = digits[Int((value >> UInt64(60 - 4 * index)) & 15)]
      }
      return 16
    }
  }
}
