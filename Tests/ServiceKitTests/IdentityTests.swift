import Foundation
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

  @Test("The manual clock moves only when told")
  func manualClock() {
    let clock = ManualWallClock()
    let start = clock.now()
    clock.advance(by: .milliseconds(1_500))
    #expect(clock.now() == start.addingTimeInterval(1.5))
  }
}
