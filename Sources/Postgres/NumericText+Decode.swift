/// The binary `numeric`: digits of base 10,000 with the weight of the first.
///
/// Layout: count of digits, weight, sign, display scale (16 bits each), then the digits. The value is
/// the sum of digit[i] × 10000^(weight − i); `scale` digits are printed after the point.
extension NumericText: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> NumericText {
    var reader = PostgresReader(try cell.requireBytes(of: .numeric))
    let count = Int(try reader.read(UInt16.self))
    let weight = Int(try reader.read(Int16.self))
    let sign = try reader.read(UInt16.self)
    let scale = Int(try reader.read(UInt16.self))
    switch sign {
    case 0xC000: return NumericText("NaN")
    case 0xD000: return NumericText("Infinity")
    case 0xF000: return NumericText("-Infinity")
    case 0x0000, 0x4000: break
    default: throw .malformed
    }
    var digits: [UInt16] = []
    for _ in 0..<count {
      let digit = try reader.read(UInt16.self)
      guard digit < 10_000 else { throw .malformed }
      digits.append(digit)
    }
    let text = print(digits: digits, weight: weight, scale: scale)
    return NumericText(sign == 0x4000 ? "-" + text : text)
  }

  private static func print(digits: [UInt16], weight: Int, scale: Int) -> String {
    func group(_ power: Int) -> UInt16 {
      let index = weight - power
      return digits.indices.contains(index) ? digits[index] : 0
    }
    var text = ""
    if weight < 0 {
      text = "0"
    } else {
      text = String(group(weight))
      for power in stride(from: weight - 1, through: 0, by: -1) { text += padded(group(power)) }
    }
    guard scale > 0 else { return text }
    var fraction = ""
    var power = -1
    while fraction.utf8.count < scale {
      fraction += padded(group(power))
      power -= 1
    }
    return text + "." + fraction.prefix(scale)
  }

  private static func padded(_ digit: UInt16) -> String {
    let text = String(digit)
    return String(repeating: "0", count: 4 - text.utf8.count) + text
  }
}
