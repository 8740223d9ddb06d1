/// RFC 3339 times, as `google.protobuf.Timestamp` is written in JSON.
enum TimeText {
  static let range: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

  /// Reads `2030-01-01T05:30:00.25+05:30`; nil for anything that is not exactly that form.
  ///
  /// The zone is required, `T` and `Z` are upper-case, the fraction has up to 9 digits.
  static func parse(_ text: UnsafeBufferPointer<UInt8>) -> (seconds: Int64, nanos: Int32)? {
    var scanner = DigitScanner(text)
    guard
      let year = scanner.digits(4), scanner.take("-"), let month = scanner.digits(2),
      scanner.take("-"), let day = scanner.digits(2), scanner.take("T"),
      let hour = scanner.digits(2), scanner.take(":"), let minute = scanner.digits(2),
      scanner.take(":"), let second = scanner.digits(2),
      let nanos = scanner.fraction(), let offset = scanner.offset(), scanner.isAtEnd
    else { return nil }
    guard
      year >= 1, (1...12).contains(month), day >= 1, day <= days(in: month, of: year),
      hour < 24, minute < 60, second < 60
    else { return nil }
    let clock = Int64(hour * 3600 + minute * 60 + second - offset)
    let seconds = dayNumber(year, month, day) * 86_400 + clock
    return range.contains(seconds) ? (seconds, nanos) : nil
  }

  /// Appends the text; false if the time is out of range.
  static func append(seconds: Int64, nanos: Int32, to output: inout [UInt8]) -> Bool {
    guard range.contains(seconds), (0..<1_000_000_000).contains(nanos) else { return false }
    let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    let clock = seconds - day * 86_400
    let (year, month, date) = civil(day)
    appendPadded(year, 4, to: &output)
    output.append(UInt8(ascii: "-"))
    appendPadded(month, 2, to: &output)
    output.append(UInt8(ascii: "-"))
    appendPadded(date, 2, to: &output)
    output.append(UInt8(ascii: "T"))
    appendPadded(Int(clock / 3600), 2, to: &output)
    output.append(UInt8(ascii: ":"))
    appendPadded(Int(clock / 60 % 60), 2, to: &output)
    output.append(UInt8(ascii: ":"))
    appendPadded(Int(clock % 60), 2, to: &output)
    appendFraction(nanos, to: &output)
    output.append(UInt8(ascii: "Z"))
    return true
  }

  /// Appends `.5` as 3, 6 or 9 digits; nothing for 0.
  static func appendFraction(_ nanos: Int32, to output: inout [UInt8]) {
    guard nanos != 0 else { return }
    output.append(UInt8(ascii: "."))
    if nanos % 1_000_000 == 0 {
      appendPadded(Int(nanos / 1_000_000), 3, to: &output)
    } else if nanos % 1_000 == 0 {
      appendPadded(Int(nanos / 1_000), 6, to: &output)
    } else {
      appendPadded(Int(nanos), 9, to: &output)
    }
  }

  private static func appendPadded(_ value: Int, _ width: Int, to output: inout [UInt8]) {
    var divisor = 1
    for _ in 1..<width { divisor *= 10 }
    while divisor > 0 {
      output.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
      divisor /= 10
    }
  }

  private static func days(in month: Int, of year: Int) -> Int {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    default: 31
    }
  }

  /// Days since 1970-01-01 of a date; the year is counted from March, so that the leap day is last.
  private static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = year / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return Int64(era * 146_097 + dayOfEra - 719_468)
  }

  private static func civil(_ dayNumber: Int64) -> (year: Int, month: Int, day: Int) {
    let shifted = Int(dayNumber) + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let part = (5 * dayOfYear + 2) / 153
    let month = part < 10 ? part + 3 : part - 9
    return (
      yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * part + 2) / 5 + 1
    )
  }
}

/// `google.protobuf.Duration` as JSON writes it: decimal seconds and an `s`.
enum DurationText {
  static let maximum: Int64 = 315_576_000_000

  /// Reads `-1.5s`; nil for anything else or out of range.
  ///
  /// The sign holds for both parts.
  static func parse(_ text: UnsafeBufferPointer<UInt8>) -> (seconds: Int64, nanos: Int32)? {
    var scanner = DigitScanner(text)
    let isNegative = scanner.take("-")
    guard
      let seconds = scanner.number(maximumDigits: 12), let nanos = scanner.fraction(),
      scanner.take("s"), scanner.isAtEnd, seconds < maximum || (seconds == maximum && nanos == 0)
    else { return nil }
    return isNegative ? (-seconds, -nanos) : (seconds, nanos)
  }

  /// Appends the text; false if the duration is out of range or its signs differ.
  static func append(seconds: Int64, nanos: Int32, to output: inout [UInt8]) -> Bool {
    guard
      (-maximum...maximum).contains(seconds), (-999_999_999...999_999_999).contains(nanos),
      seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0)
    else { return false }
    if seconds < 0 || nanos < 0 { output.append(UInt8(ascii: "-")) }
    output += String(seconds.magnitude).utf8
    TimeText.appendFraction(abs(nanos), to: &output)
    output.append(UInt8(ascii: "s"))
    return true
  }
}

/// Reads fixed forms of digits and signs.
private struct DigitScanner {
  private let text: UnsafeBufferPointer<UInt8>
  private var position = 0

  init(_ text: UnsafeBufferPointer<UInt8>) { self.text = text }

  var isAtEnd: Bool { position == text.count }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func digit() -> Int? {
    guard position < text.count, text[position] &- UInt8(ascii: "0") < 10 else { return nil }
    defer { position += 1 }
    return Int(text[position] - UInt8(ascii: "0"))
  }

  /// Exactly `count` digits.
  mutating func digits(_ count: Int) -> Int? {
    var value = 0
    for _ in 0..<count {
      guard let digit = digit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// One to `maximumDigits` digits.
  mutating func number(maximumDigits: Int) -> Int64? {
    let start = position
    var value: Int64 = 0
    while let digit = digit() {
      guard position - start <= maximumDigits else { return nil }
      value = value * 10 + Int64(digit)
    }
    return position > start ? value : nil
  }

  /// An optional point with 1 to 9 digits, as nanoseconds.
  mutating func fraction() -> Int32? {
    guard take(".") else { return 0 }
    let start = position
    var nanos: Int32 = 0
    while let digit = digit() {
      guard position - start <= 9 else { return nil }
      nanos = nanos * 10 + Int32(digit)
    }
    guard position > start else { return nil }
    for _ in (position - start)..<9 { nanos *= 10 }
    return nanos
  }

  /// `Z` or `+hh:mm`, as seconds east of UTC.
  mutating func offset() -> Int? {
    if take("Z") { return 0 }
    let isNegative = take("-")
    guard isNegative || take("+") else { return nil }
    guard let hours = digits(2), take(":"), let minutes = digits(2), hours < 24, minutes < 60 else {
      return nil
    }
    return (isNegative ? -1 : 1) * (hours * 3600 + minutes * 60)
  }
}
