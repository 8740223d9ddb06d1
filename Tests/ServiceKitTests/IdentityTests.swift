import Foundation
import Protobuf
import Testing

@testable import ServiceKit

@Suite("Identifiers and clocks") struct IdentityTests {
  @Test("Version, variant and time stand where RFC 9562 puts them")
  func layout() {
    let clock = ManualWallClock(Date(timeIntervalSince1970: 1_645_557_742))
    let text = UUIDv7(clock: clock).next().uuidString.lowercased()
    // The example of RFC 9562, appendix A.6, has this millisecond.
    #expect(text.hasPrefix("017f22e2-79b0-7"))
    #expect("89ab".contains(text[text.index(text.startIndex, offsetBy: 19)]))
  }

  @Test("Identifiers grow, inside a millisecond and when the clock steps back")
  func order() {
    let clock = ManualWallClock()
    let ids = UUIDv7(clock: clock)
    var texts: [String] = []
    for step in 0..<20_000 {
      if step == 10_000 { clock.advance(by: .seconds(-60)) }
      texts.append(ids.next().uuidString)
    }
    #expect(texts == texts.sorted())
    #expect(Set(texts).count == texts.count)
  }

  @Test("Identifiers print in lower case and parse back")
  func text() {
    let id = JobID(UUID())
    #expect(JobID(text: id.description) == id)
    #expect(id.description == id.description.lowercased())
    #expect(JobID(text: "job_123") == nil)
  }

  @Test(
    "A timestamp outside of the years 1 to 9999 is no date",
    arguments: [
      (-62_135_596_801, 0), (253_402_300_800, 0), (Int64.min, 0), (Int64.max, 0),
      (0, -1), (0, 1_000_000_000), (0, Int32.max),
    ] as [(Int64, Int32)]
  )
  func impossibleTimestamp(seconds: Int64, nanos: Int32) {
    #expect(GoogleProtobuf.Timestamp(seconds: seconds, nanos: nanos).date == nil)
  }

  @Test(
    "A date becomes the timestamp of its microsecond, or the nearest that there is",
    arguments: [
      (0.000_001, 0, 1_000), (-0.25, -1, 750_000_000),
      (-62_135_596_800, -62_135_596_800, 0), (.infinity, 253_402_300_799, 999_999_000),
      (9_223_372_036_854, 253_402_300_799, 999_999_000), (-.infinity, -62_135_596_800, 0),
      (.nan, -62_135_596_800, 0),
    ] as [(Double, Int64, Int32)]
  )
  func timestamp(date: Double, seconds: Int64, nanos: Int32) {
    let timestamp = GoogleProtobuf.Timestamp(Date(timeIntervalSince1970: date))
    #expect(timestamp == GoogleProtobuf.Timestamp(seconds: seconds, nanos: nanos))
    #expect(timestamp.date != nil)
  }

  @Test("The manual clock moves only when told")
  func manualClock() {
    let clock = ManualWallClock()
    let start = clock.now()
    clock.advance(by: .milliseconds(1_500))
    #expect(clock.now() == start.addingTimeInterval(1.5))
  }
}
