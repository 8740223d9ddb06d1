internal import HTTPCore

/// Finds the end of a request head and enforces the line discipline that smuggling needs broken.
///
/// llhttp 8.1 takes some heads that others read differently (a CR alone, folded lines), so every
/// line must end in CR LF, none may start with white space, and NUL appears nowhere
/// (RFC 9112 §2.2, §5.2). Works byte by byte over any split of the input; keeps no bytes.
struct HeadScanner {
  enum Result: Equatable {
    case needMoreBytes
    /// The head ends before this offset of the bytes given.
    case complete(Int)
    case failure(HTTP1Failure)
  }

  /// Empty lines before the request line that are forgiven (RFC 9112 §2.2 asks for one).
  static let blankLinesAllowed = 2

  private let limits: HTTP1Limits
  private var afterCarriageReturn = false
  private var lineIsEmpty = true
  private var lines = 0
  private var blankLines = 0
  private var headBytes = 0

  init(limits: HTTP1Limits) {
    self.limits = limits
  }

  /// True until the first byte of a request, blank lines apart.
  var isAtStart: Bool { lines == 0 && lineIsEmpty }

  /// Number of bytes of blank lines before the request line.
  var leadingBytes: Int { blankLines * 2 }

  /// Takes the next bytes.
  mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Result {
    let end = min(bytes.count, limits.headBytes - headBytes)
    for index in 0..<end {
      let byte = bytes[index]
      if byte > ASCII.space, !lineIsEmpty, !afterCarriageReturn { continue }
      switch take(byte) {
      case .needMoreBytes: continue
      case .complete: return .complete(index + 1)
      case .failure(let failure): return .failure(failure)
      }
    }
    headBytes += end
    guard end == bytes.count else {
      return .failure(
        lines == 0 ? HTTP1Failure(414, .targetTooLong) : HTTP1Failure(431, .headTooLarge)
      )
    }
    return .needMoreBytes
  }

  private mutating func take(_ byte: UInt8) -> Result {
    if byte == ASCII.lineFeed { return endLine() }
    if afterCarriageReturn { return .failure(HTTP1Failure(400, .bareCarriageReturn)) }
    if byte == ASCII.carriageReturn {
      afterCarriageReturn = true
      return .needMoreBytes
    }
    if byte == 0 { return .failure(HTTP1Failure(400, .nulByte)) }
    if lineIsEmpty, byte == ASCII.space || byte == ASCII.tab {
      return .failure(HTTP1Failure(400, .leadingWhitespace))
    }
    lineIsEmpty = false
    return .needMoreBytes
  }

  private mutating func endLine() -> Result {
    guard afterCarriageReturn else { return .failure(HTTP1Failure(400, .bareLineFeed)) }
    afterCarriageReturn = false
    guard lineIsEmpty else {
      lineIsEmpty = true
      lines += 1
      // The request line and each field are a line.
      return lines - 1 > limits.fields
        ? .failure(HTTP1Failure(431, .tooManyFields)) : .needMoreBytes
    }
    if lines > 0 { return .complete(0) }
    blankLines += 1
    return blankLines > Self.blankLinesAllowed
      ? .failure(HTTP1Failure(400, .tooManyBlankLines)) : .needMoreBytes
  }
}
