package import Foundation

/// Dates in the one text form of the API: UTC with `Z` and milliseconds.
package enum RFC3339 {
  /// `2026-11-21T07:04:05.123Z`; years outside 0…9999 are clamped.
  package static func text(_ date: Date) -> String {
    String(decoding: bytes(milliseconds: milliseconds(of: date)), as: UTF8.self)
  }

  private static func milliseconds(of date: Date) -> Int64 {
    // To microseconds first: a Date's own rounding must not show as the millisecond before.
    let value = ((date.timeIntervalSince1970 * 1_000_000).rounded() / 1_000).rounded(.down)
    return Int64(min(max(value, -62_167_219_200_000), 253_402_300_799_999))
  }

  static func bytes(milliseconds total: Int64) -> [UInt8] {
    let (days, ofDay) = flooredDivision(total, 86_400_000)
    let date = civil(daysSinceEpoch: days)
    var out: [UInt8] = []
    out.reserveCapacity(24)
    append(&out, date.year, digits: 4)
    out.append(UInt8(ascii: "-"))
    append(&out, date.month, digits: 2)
    out.append(UInt8(ascii: "-"))
    append(&out, date.day, digits: 2)
    out.append(UInt8(ascii: "T"))
    append(&out, ofDay / 3_600_000, digits: 2)
    out.append(UInt8(ascii: ":"))
    append(&out, ofDay / 60_000 % 60, digits: 2)
    out.append(UInt8(ascii: ":"))
    append(&out, ofDay / 1_000 % 60, digits: 2)
    out.append(UInt8(ascii: "."))
    append(&out, ofDay % 1_000, digits: 3)
    out.append(UInt8(ascii: "Z"))
    return out
  }

  private static func append(_ out: inout [UInt8], _ value: Int64, digits: Int) {
    var divisor: Int64 = 1
    for _ in 1..<digits { divisor *= 10 }
    while divisor > 0 {
      out.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
      divisor /= 10
    }
  }

  private static func flooredDivision(_ value: Int64, _ by: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: by)
    return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder)
  }

  /// Proleptic Gregorian date of a day count, by eras of 400 years that start on 1 March.
  private static func civil(
    daysSinceEpoch days: Int64
  ) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = flooredDivision(days + 719_468, 146_097)
    let leapCorrection = dayOfEra / 1_460 - dayOfEra / 36_524 + dayOfEra / 146_096
    let yearOfEra = (dayOfEra - leapCorrection) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, day)
  }
}
