/// The `grpc-timeout` header: 1 to 8 digits and a unit (grpc doc/PROTOCOL-HTTP2.md).
enum TimeoutHeader {
  /// Reads the header; nil when it is not of the form.
  static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Duration? {
    guard (2...9).contains(text.count), let unit = text.last else { return nil }
    var value: Int128 = 0
    for byte in text.dropLast() {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      value = value * 10 + Int128(byte - UInt8(ascii: "0"))
    }
    guard let nanoseconds = nanoseconds(of: unit) else { return nil }
    return Duration(attoseconds: value * nanoseconds * Duration.attosecondsPerNanosecond)
  }

  private static func nanoseconds(of unit: UInt8) -> Int128? {
    switch unit {
    case UInt8(ascii: "H"): 3_600_000_000_000
    case UInt8(ascii: "M"): 60_000_000_000
    case UInt8(ascii: "S"): 1_000_000_000
    case UInt8(ascii: "m"): 1_000_000
    case UInt8(ascii: "u"): 1_000
    case UInt8(ascii: "n"): 1
    default: nil
    }
  }

  /// Writes a duration in the finest unit that fits 8 digits, rounded up.
  static func format(_ duration: Duration) -> String {
    let (seconds, attoseconds) = max(duration, .zero).components
    let nanoseconds = attoseconds / 1_000_000_000
    let units: [(String, perSecond: Int64)] = [("u", 1_000_000), ("m", 1_000), ("S", 1)]
    for (unit, perSecond) in units where seconds <= 99_999_999 / perSecond - 1 {
      let fraction = (nanoseconds * perSecond + 999_999_999) / 1_000_000_000
      return "\(seconds * perSecond + fraction)\(unit)"
    }
    return "\(min(seconds / 3_600 + 1, 99_999_999))H"
  }
}
