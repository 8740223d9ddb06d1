internal import HTTPCore

/// Bounds a body and holds its chunk framing to CR LF line ends.
struct BodyCheck {
  /// Bytes that the body may have.
  var limit: Int
  private let framing: HTTP1BodyFraming
  private let framingAllowance: Int
  private var bodyBytes = 0
  private var framingBytes = 0
  private var previous = ASCII.lineFeed

  init(framing: HTTP1BodyFraming, limits: HTTP1Limits) {
    self.framing = framing
    limit = limits.bodyBytes
    framingAllowance = limits.chunkFramingBytes
  }

  /// The refusal of a body whose declared length is over the limit, before any of it is read.
  var declaredFailure: HTTP1Failure? {
    guard case .length(let length) = framing, length > limit else { return nil }
    return HTTP1Failure(413, .bodyTooLarge)
  }

  /// Accounts for what one parser call consumed, of which `body` were the body's own bytes.
  mutating func take(
    _ input: UnsafeRawBufferPointer,
    consumed: Int,
    body: Range<Int>
  ) -> HTTP1Failure? {
    bodyBytes += body.count
    guard bodyBytes <= limit else { return HTTP1Failure(413, .bodyTooLarge) }
    guard framing == .chunked else { return nil }
    framingBytes += consumed - body.count
    // A chunk of one byte costs five bytes of framing, so an honest sender stays below this.
    guard framingBytes <= framingAllowance + bodyBytes * 8 else {
      return HTTP1Failure(400, .chunkFramingTooLarge)
    }
    let before = body.isEmpty ? 0..<consumed : 0..<body.lowerBound
    let after = body.isEmpty ? 0..<0 : body.upperBound..<max(consumed, body.upperBound)
    return check(input[before], endsLine: !body.isEmpty) ?? check(input[after], endsLine: false)
  }

  private mutating func check(
    _ bytes: Slice<UnsafeRawBufferPointer>,
    endsLine: Bool
  ) -> HTTP1Failure? {
    for byte in bytes {
      if byte == ASCII.lineFeed, previous != ASCII.carriageReturn {
        return HTTP1Failure(400, .bareLineFeed)
      }
      if previous == ASCII.carriageReturn, byte != ASCII.lineFeed {
        return HTTP1Failure(400, .bareCarriageReturn)
      }
      previous = byte
    }
    // The bytes of a chunk start right after its size line or go on from the last call.
    if endsLine { previous = ASCII.lineFeed }
    return nil
  }
}
