/// Makes a text parsable whose integers are too long for the parser.
///
/// simdjson refuses integers beyond 64 bits, which a `double` field may well hold, and says the same
/// of malformed numbers. On that answer alone the text is read again here: long integers get an
/// exponent, so that they parse as doubles; malformed numbers and those beyond a double are refused.
enum NumberRepair {
  /// Returns the text with long integers rewritten.
  ///
  /// - Throws: `.malformed` or `.numberOutOfRange`.
  static func repaired(_ text: [UInt8]) throws(JSONError) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(text.count + 64)
    var index = 0
    while index < text.count {
      switch text[index] {
      case UInt8(ascii: "\""):
        let end = endOfString(text, from: index)
        output += text[index..<end]
        index = end
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        let end = endOfNumber(text, from: index)
        output += text[index..<end]
        if try isLongInteger(text[index..<end]) { output += Array("e0".utf8) }
        index = end
      default:
        output.append(text[index])
        index += 1
      }
    }
    return output
  }

  private static func endOfString(_ text: [UInt8], from start: Int) -> Int {
    var index = start + 1
    while index < text.count {
      if text[index] == UInt8(ascii: "\\") {
        index += 2
      } else if text[index] == UInt8(ascii: "\"") {
        return index + 1
      } else {
        index += 1
      }
    }
    return text.count
  }

  private static func endOfNumber(_ text: [UInt8], from start: Int) -> Int {
    var index = start
    while index < text.count {
      switch text[index] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
        UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
        index += 1
      default:
        return index
      }
    }
    return index
  }

  /// Checks the number's grammar and size; true for an integer that does not fit 64 bits.
  private static func isLongInteger(_ token: ArraySlice<UInt8>) throws(JSONError) -> Bool {
    guard let parts = token.withUnsafeBufferPointer({ NumberParts($0) }) else { throw .malformed }
    let text = String(decoding: token, as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      throw .numberOutOfRange(offset: token.startIndex)
    }
    guard parts.isInteger else { return false }
    return Int64(text) == nil && UInt64(text) == nil
  }
}

/// The grammar of a JSON number: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
package struct NumberParts {
  /// Whether there is neither a fraction nor an exponent.
  package let isInteger: Bool

  /// Reads one number; nil when `token` is anything but exactly that.
  package init?(_ token: UnsafeBufferPointer<UInt8>) {
    var plain = true
    let lead = token.first == UInt8(ascii: "-") ? 1 : 0
    var index = Self.endOfDigits(token, from: lead)
    guard index > lead, token[lead] != UInt8(ascii: "0") || index == lead + 1 else { return nil }
    if index < token.count, token[index] == UInt8(ascii: ".") {
      let fraction = index + 1
      index = Self.endOfDigits(token, from: fraction)
      guard index > fraction else { return nil }
      plain = false
    }
    if index < token.count, token[index] | 0x20 == UInt8(ascii: "e") {
      var exponent = index + 1
      if exponent < token.count, Self.isSign(token[exponent]) { exponent += 1 }
      index = Self.endOfDigits(token, from: exponent)
      guard index > exponent else { return nil }
      plain = false
    }
    guard index == token.count else { return nil }
    isInteger = plain
  }

  private static func endOfDigits(_ token: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var index = start
    while index < token.count, token[index] &- UInt8(ascii: "0") < 10 { index += 1 }
    return index
  }

  private static func isSign(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
  }
}
