internal import HTTP2
internal import HTTPCore

/// Request heads of HTTP/2 in the form that both protocols share.
enum HTTP2RequestHead {
  /// Longest path and query, as for HTTP/1.
  private static let maxTargetBytes = 8 * 1024

  /// Checks the pseudo fields and copies the rest.
  ///
  /// The library has checked names, values and the order of fields (RFC 9113 §8.2, §8.3).
  static func make(_ block: HeaderBlock) throws(Problem) -> HTTPRequestHead {
    let method = block.withValue(of: ":method") { HTTPMethod(bytes: UnsafeRawBufferPointer($0)) }
    guard let method else { throw Problem(protocolFailure: 400, "malformedRequestLine") }
    guard let method else { throw Problem(protocolFailure: 501, "unknownMethod") }
    let target = block.withValue(of: ":path") { Array($0) } ?? []
    guard target.count <= maxTargetBytes else {
      throw Problem(protocolFailure: 414, "targetTooLong")
    }
    guard isTarget(target, method) else { throw Problem(protocolFailure: 400, "malformedTarget") }
    var headers = HTTPHeaders(reserving: block.count, byteCount: 512)
    block.forEach { name, value in
      guard name.first != UInt8(ascii: ":") else { return }
      headers.append(name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value))
    }
    let authority = block.value(of: ":authority") ?? headers["host"] ?? ""
    guard Authority.isValid(authority.utf8) else {
      throw Problem(protocolFailure: 400, "malformedHost")
    }
    return HTTPRequestHead(method: method, target: target, authority: authority, headers: headers)
  }

  private static func isTarget(_ target: [UInt8], _ method: HTTPMethod) -> Bool {
    if method == .options, target.elementsEqual("*".utf8) { return true }
    return target.first == UInt8(ascii: "/")
      && target.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
  }
}

/// Answer heads as HTTP/2 writes them.
enum HTTP2ResponseHead {
  /// The block of `head`, with length and date.
  static func block(_ head: HTTPResponseHead, length: Int?, _ date: String) -> HeaderBlock {
    var block = HeaderBlock()
    block.reserve(fields: head.headers.count + 3, bytes: 1024)
    block.append(":status", String(head.status.rawValue))
    head.headers.forEachField { name, value in
      block.append(
        name: name.bindMemory(to: UInt8.self),
        value: value.bindMemory(to: UInt8.self)
      )
    }
    if let length { block.append("content-length", String(length)) }
    block.append("date", date)
    return block
  }
}
