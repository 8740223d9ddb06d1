package import Foundation
package import Protobuf

extension GoogleProtobuf.Timestamp {
  /// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what a `Timestamp` may say.
  private static let range: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

  /// The moment to the microsecond, which is what PostgreSQL keeps.
  ///
  /// Moments outside the years 1 to 9999, such as PostgreSQL's `infinity`, become the nearest one.
  package init(_ date: Date) {
    let value = (date.timeIntervalSince1970 * 1_000_000).rounded()
    let first = Self.range.lowerBound * 1_000_000
    let last = Self.range.upperBound * 1_000_000 + 999_999
    // Written so that a date that is not a number does not reach the conversion.
    let total = value > Double(first) ? value < Double(last) ? Int64(value) : last : first
    let (seconds, rest) = total.quotientAndRemainder(dividingBy: 1_000_000)
    self.init()
    self.seconds = rest < 0 ? seconds - 1 : seconds
    nanos = Int32(rest < 0 ? rest + 1_000_000 : rest) * 1_000
  }

  /// The moment as a date; nil for what no `Timestamp` may say, which a peer can send all the same.
  package var date: Date? {
    guard Self.range.contains(seconds), (0..<1_000_000_000).contains(nanos) else { return nil }
    return Date(timeIntervalSince1970: Double(seconds) + Double(nanos) / 1_000_000_000)
  }
}
