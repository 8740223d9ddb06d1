internal import HTTPCore

/// Reads the request line's shape to answer 400, 501 and 505 apart; llhttp does the parsing.
struct RequestLineCheck {
  /// What is wrong with the line, if anything.
  let failure: HTTP1Failure?

  init(_ head: UnsafeRawBufferPointer) {
    let line = head.prefix { $0 != ASCII.carriageReturn }
    let parts = line.split(separator: ASCII.space, omittingEmptySubsequences: false)
    guard
      parts.count == 3, !parts[0].isEmpty, !parts[1].isEmpty,
      parts[0].allSatisfy(ASCII.isToken)
    else {
      failure = HTTP1Failure(400, .malformedRequestLine)
      return
    }
    failure = Self.check(version: parts[2], method: parts[0])
  }

  private static func check(
    version: Slice<UnsafeRawBufferPointer>,
    method: Slice<UnsafeRawBufferPointer>
  ) -> HTTP1Failure? {
    let shape = Array(version)
    guard
      shape.count == 8, shape.starts(with: "HTTP/".utf8), ASCII.isDigit(shape[5]),
      shape[6] == UInt8(ascii: "."), ASCII.isDigit(shape[7])
    else { return HTTP1Failure(400, .malformedRequestLine) }
    guard shape[5] == UInt8(ascii: "1"), shape[7] <= UInt8(ascii: "1") else {
      return HTTP1Failure(505, .unsupportedVersion)
    }
    guard HTTPMethod(bytes: UnsafeRawBufferPointer(rebasing: method)) != nil else {
      return HTTP1Failure(501, .unknownMethod)
    }
    return nil
  }
}
