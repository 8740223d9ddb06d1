/// The date format of HTTP (RFC 9110 §5.6.7), `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
  private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// Formats seconds since 1970; always 29 bytes for years 0–9999.
  package static func format(unixSeconds: Int64) -> String {
    let fields = CivilTime(unixSeconds: unixSeconds)
    let weekday = days[Int(((unixSeconds.dividedFloor(by: 86_400)) % 7 + 7) % 7)]
    let date = "\(pad(fields.day, 2)) \(months[fields.month - 1]) \(pad(fields.year, 4))"
    let time = "\(pad(fields.hour, 2)):\(pad(fields.minute, 2)):\(pad(fields.second, 2))"
    return "\(weekday), \(date) \(time) GMT"
  }

  static func pad(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

/// A moment as calendar fields in UTC.
package struct CivilTime: Sendable, Hashable {
  package let year: Int
  package let month: Int
  package let day: Int
  package let hour: Int
  package let minute: Int
  package let second: Int

  /// Splits seconds since 1970 by the proleptic Gregorian calendar.
  ///
  /// Days become dates by counting from 1 March of year 0, so that the leap day ends a year.
  package init(unixSeconds: Int64) {
    let dayNumber = unixSeconds.dividedFloor(by: 86_400)
    let secondOfDay = Int(unixSeconds - dayNumber * 86_400)
    let shifted = dayNumber + 719_468
    let era = shifted.dividedFloor(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
    year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    hour = secondOfDay / 3_600
    minute = secondOfDay / 60 % 60
    second = secondOfDay % 60
  }

  /// The basic ISO 8601 form that AWS signatures use, `20260101T000000Z`.
  package var basicISO8601: String {
    let date = HTTPDate.pad(year, 4) + HTTPDate.pad(month, 2) + HTTPDate.pad(day, 2)
    let time = HTTPDate.pad(hour, 2) + HTTPDate.pad(minute, 2) + HTTPDate.pad(second, 2)
    return "\(date)T\(time)Z"
  }
}

extension Int64 {
  fileprivate func dividedFloor(by divisor: Int64) -> Int64 {
    let quotient = self / divisor
    return self % divisor < 0 ? quotient - 1 : quotient
  }
}
