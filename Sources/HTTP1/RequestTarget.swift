internal import HTTPCore

/// A request target (RFC 9112 §3.2) brought to origin form.
struct RequestTarget {
  /// Path and query, or `*`.
  let originForm: [UInt8]
  /// The authority of an absolute target, which wins over Host.
  let authority: String?

  init(_ bytes: UnsafeRawBufferPointer, _ method: HTTPMethod) throws(HTTP1Failure) {
    guard let first = bytes.first, bytes.allSatisfy(Self.isAllowed) else {
      throw HTTP1Failure(400, .malformedTarget)
    }
    if first == UInt8(ascii: "/") {
      originForm = Array(bytes)
      authority = nil
    } else if method == .options, bytes.elementsEqual("*".utf8) {
      originForm = [first]
      authority = nil
    } else {
      (originForm, authority) = try Self.absolute(bytes)
    }
  }

  private static func absolute(
    _ bytes: UnsafeRawBufferPointer
  ) throws(HTTP1Failure) -> ([UInt8], String) {
    let prefixes = ["http://".utf8, "https://".utf8]
    guard
      let prefix = prefixes.first(where: {
        ASCII.equalIgnoringCase(bytes.prefix($0.count), $0)
      })
    else { throw HTTP1Failure(400, .malformedTarget) }
    let rest = bytes.dropFirst(prefix.count)
    let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
    let host = rest[..<(end ?? rest.endIndex)]
    guard Authority.isValid(host) else { throw HTTP1Failure(400, .malformedHost) }
    var target = Array(rest[(end ?? rest.endIndex)...])
    if target.first != UInt8(ascii: "/") { target.insert(UInt8(ascii: "/"), at: 0) }
    return (target, String(decoding: host, as: UTF8.self))
  }

  /// Visible ASCII that RFC 3986 lets stand in a path or query; a fragment is never sent.
  private static func isAllowed(_ byte: UInt8) -> Bool {
    guard byte > 0x20, byte < 0x7F else { return false }
    switch byte {
    case UInt8(ascii: "#"), UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"),
      UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"),
      UInt8(ascii: "|"), UInt8(ascii: "}"):
      return false
    default:
      return true
    }
  }
}
