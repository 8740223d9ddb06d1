internal import CSimdjson

/// Why a JSON text was refused.
package enum JSONError: Error, Equatable, Sendable {
  /// Not JSON by RFC 8259.
  case malformed
  /// No value at all.
  case empty
  /// More nested arrays and objects than the parser allows.
  case tooDeep
  /// The text, or an escape in it, is not valid Unicode.
  case invalidUnicode
  /// The number at this byte offset does not fit a double.
  case numberOutOfRange(offset: Int)
  /// The parser's buffers could not be allocated.
  case outOfMemory
}

/// Parses JSON texts into a flat tape, one at a time.
///
/// Owns one simdjson parser, whose buffers are kept between texts. Belongs to one thread (one event
/// loop): it is deliberately not `Sendable`.
package final class JSONParser {
  /// Bytes that the parser reads behind a text; `parse` appends them where they are missing.
  package static let padding = Int(CSIMDJSON_PADDING)

  /// Buffers sized for longer texts than this are given back when the next text comes.
  private static let keptCapacity = 256 * 1024

  private let maximumDepth: Int
  private var parser: OpaquePointer

  /// Makes a parser that allows `maximumDepth` nested arrays and objects.
  ///
  /// - Throws: `.outOfMemory` when the parser cannot be allocated.
  package init(maximumDepth: Int = 128) throws(JSONError) {
    guard let parser = csimdjson_new(maximumDepth) else { throw .outOfMemory }
    self.parser = parser
    self.maximumDepth = maximumDepth
  }

  deinit { csimdjson_free(parser) }

  /// Parses `text` and hands its value to `body`.
  ///
  /// Integers beyond 64 bits arrive as doubles. Duplicate keys are left to the caller.
  /// - Parameters:
  ///   - text: The text; grows by `padding` bytes during the call and is given back unchanged. An
  ///     array that reserved that much is not copied.
  ///   - body: Reads the value. Its elements and strings are valid until the next text is parsed.
  /// - Returns: What `body` returned.
  /// - Throws: ``JSONError`` when the text is no JSON; `body` is not called then.
  package func parse<Result>(
    _ text: inout [UInt8],
    _ body: (JSONElement) -> Result
  ) throws(JSONError) -> Result {
    shrink()
    let code = run(&text)
    if code == CSIMDJSON_NUMBER {
      var repaired = try NumberRepair.repaired(text)
      let again = run(&repaired)
      guard again == CSIMDJSON_OK else { throw Self.error(for: again) }
    } else if code != CSIMDJSON_OK {
      throw Self.error(for: code)
    }
    guard let tape = csimdjson_tape(parser), let strings = csimdjson_strings(parser) else {
      throw .outOfMemory
    }
    return body(JSONElement(tape: tape, strings: strings, index: 1))
  }

  private func run(_ text: inout [UInt8]) -> csimdjson_result {
    let length = text.count
    text.append(contentsOf: repeatElement(0, count: Self.padding))
    defer { text.removeLast(Self.padding) }
    return text.withUnsafeBufferPointer { bytes in
      guard let base = bytes.baseAddress else { return CSIMDJSON_EMPTY }
      return csimdjson_parse(parser, base, length)
    }
  }

  /// Gives large buffers back; not sooner, since a message that was read refers to them until it is
  /// packed.
  private func shrink() {
    guard csimdjson_capacity(parser) > Self.keptCapacity else { return }
    guard let fresh = csimdjson_new(maximumDepth) else { return }
    csimdjson_free(parser)
    parser = fresh
  }

  private static func error(for code: csimdjson_result) -> JSONError {
    switch code {
    case CSIMDJSON_TOO_DEEP: .tooDeep
    case CSIMDJSON_NOT_UTF8: .invalidUnicode
    case CSIMDJSON_EMPTY: .empty
    case CSIMDJSON_NO_MEMORY: .outOfMemory
    default: .malformed
    }
  }
}
