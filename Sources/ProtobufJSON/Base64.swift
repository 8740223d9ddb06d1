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
    let output = arena.allocate(UInt8.self, count: count * 3 / 4 + 3)
    // Digits are below 64, so a byte that is none shows in the union of all.
    let union = values.withUnsafeBufferPointer { values in
      var union: UInt8 = 0
      var (index, written) = (0, 0)
      while index < count {
        let first = values[Int(text[index])]
        let second = index + 1 < count ? values[Int(text[index + 1])] : 0
        let third = index + 2 < count ? values[Int(text[index + 2])] : 0
        let fourth = index + 3 < count ? values[Int(text[index + 3])] : 0
        union |= first | second | third | fourth
        output[written] = first << 2 | second >> 4
        output[written + 1] = second << 4 | third >> 2
        output[written + 2] = third << 6 | fourth
        index += 4
        written += 3
      }
      return union
    }
    guard union < 64 else { throw malformed }
    return UnsafeBufferPointer(start: output, count: count * 3 / 4)
  }

  /// Appends the encoded form, without quotes.
  static func append(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    let count = (bytes.count + 2) / 3 * 4
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { text in
      digits.withUnsafeBufferPointer { digits in
        var (index, written) = (0, 0)
        while index < bytes.count {
          let second = index + 1 < bytes.count ? bytes[index + 1] : 0
          let third = index + 2 < bytes.count ? bytes[index + 2] : 0
          text[written] = digits[Int(bytes[index] >> 2)]
          text[written + 1] = digits[Int((bytes[index] << 4 | second >> 4) & 63)]
          text[written + 2] = digits[Int((second << 2 | third >> 6) & 63)]
          text[written + 3] = digits[Int(third & 63)]
          index += 3
          written += 4
        }
      }
      for missing in 0..<(count / 4 * 3 - bytes.count) {
        text[count - 1 - missing] = UInt8(ascii: "=")
      }
      output.append(contentsOf: UnsafeBufferPointer(text))
    }
  }

  private static var malformed: TranscodingError {
    TranscodingError(.invalidValue, "Expected base64.")
  }
}
