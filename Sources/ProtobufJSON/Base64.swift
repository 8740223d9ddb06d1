internal import JSON
internal import Protobuf

/// Base64 as ProtoJSON uses it: both alphabets in, padded or not; the standard one, padded, out.
enum Base64 {
  private static let digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
  )

  /// The value of each byte as a digit; 0xFF for those that are none.
  private static let values: [UInt8] = {
    var table = [UInt8](repeating: 0xFF, count: 256)
    for (value, digit) in digits.enumerated() { table[Int(digit)] = UInt8(value) }
    table[Int(UInt8(ascii: "-"))] = 62
    table[Int(UInt8(ascii: "_"))] = 63
    return table
  }()

  /// Decodes into the arena.
  static func decode(
    _ text: UnsafeBufferPointer<UInt8>,
    _ arena: borrowing Arena
  ) throws(TranscodingError) -> UnsafeBufferPointer<UInt8> {
    var count = text.count
    while count > 0, text.count - count < 2, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
    let isPadded = count < text.count
    guard count % 4 != 1, !isPadded || text.count % 4 == 0 else { throw malformed }
    let output = arena.allocate(UInt8.self, count: count * 3 / 4 + 1)
    var (bits, held, written): (UInt32, Int, Int) = (0, 0, 0)
    for index in 0..<count {
      let value = values[Int(text[index])]
      guard value != 0xFF else { throw malformed }
      bits = bits << 6 | UInt32(value)
      held += 6
      guard held >= 8 else { continue }
      held -= 8
      output[written] = UInt8(truncatingIfNeeded: bits >> UInt32(held))
      written += 1
    }
    return UnsafeBufferPointer(start: output, count: written)
  }

  /// Appends the encoded form, without quotes.
  static func append(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    output.reserveCapacity(output.count + (bytes.count + 2) / 3 * 4)
    var index = 0
    while index + 3 <= bytes.count {
      let bits =
        UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2])
      appendDigits(of: bits, count: 4, to: &output)
      index += 3
    }
    switch bytes.count - index {
    case 1:
      appendDigits(of: UInt32(bytes[index]) << 16, count: 2, to: &output)
      output += [UInt8(ascii: "="), UInt8(ascii: "=")]
    case 2:
      let bits = UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8
      appendDigits(of: bits, count: 3, to: &output)
      output.append(UInt8(ascii: "="))
    default: break
    }
  }

  private static func appendDigits(of bits: UInt32, count: Int, to output: inout [UInt8]) {
    for position in 0..<count {
      output.append(digits[Int(bits >> UInt32(18 - 6 * position)) & 63])
    }
  }

  private static var malformed: TranscodingError {
    TranscodingError(.invalidValue, "Expected base64.")
  }
}
