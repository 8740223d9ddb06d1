/// The coding of `grpc-message`: UTF-8 where 0x20…0x7E except `%` stand for themselves
/// (grpc doc/PROTOCOL-HTTP2.md).
enum PercentCoding {
  /// Encodes whole characters until `limit` bytes are full.
  static func encode(_ text: String, limit: Int = .max) -> String {
    var result: [UInt8] = []
    for scalar in text.unicodeScalars {
      let start = result.count
      for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
        append(byte, to: &result)
      }
      guard result.count <= limit else {
        result.removeSubrange(start...)
        break
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func append(_ byte: UInt8, to result: inout [UInt8]) {
    if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
      result.append(byte)
    } else {
      result.append(UInt8(ascii: "%"))
      result.append(digits[Int(byte >> 4)])
      result.append(digits[Int(byte & 15)])
    }
  }

  private static let digits = Array("0123456789ABCDEF".utf8)

  /// Never fails: what is not an escape stays as it is, invalid UTF-8 is replaced.
  static func decode(_ text: String) -> String {
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
        let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
      {
        result.append(high << 4 | low)
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
