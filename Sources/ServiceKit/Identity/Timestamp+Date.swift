package import Foundation
package import Protobuf

extension GoogleProtobuf.Timestamp {
  /// The moment to the microsecond, which is what PostgreSQL keeps.
  package init(_ date: Date) {
    let total = Int64((date.timeIntervalSince1970 * 1_000_000).rounded())
    let (seconds, rest) = total.quotientAndRemainder(dividingBy: 1_000_000)
    self.init()
    self.seconds = rest < 0 ? seconds - 1 : seconds
    nanos = Int32(rest < 0 ? rest + 1_000_000 : rest) * 1_000
  }

  /// The moment as a date.
  package var date: Date {
    Date(timeIntervalSince1970: Double(seconds) + Double(nanos) / 1_000_000_000)
  }
}
