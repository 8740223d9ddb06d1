import HTTPCore
import Testing

@testable import EdgeProxy

@Suite("Stream formats")
struct EventFormatTests {
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test("An event has id, name and one line of data")
  func event() {
    let bytes = EventFormat.events.message(Array(#"{"a":1}"#.utf8), id: "7", name: "progress")
    #expect(text(bytes) == "id: 7\nevent: progress\ndata: {\"a\":1}\n\n")
  }

  @Test("An id or name with a line break cannot forge another event")
  func injection() {
    let bytes = EventFormat.events.message(Array("{}".utf8), id: "7\ndata: x", name: "a\r\nb")
    #expect(text(bytes) == "data: {}\n\n")
  }

  @Test("Lines are lines")
  func lines() {
    #expect(text(EventFormat.lines.message(Array("{}".utf8), id: "7", name: "x")) == "{}\n")
    #expect(EventFormat.lines.opening.isEmpty)
    #expect(
      text(EventFormat.lines.failure(Array(#"{"status":500}"#.utf8)))
        == "{\"error\":{\"status\":500}}\n"
    )
  }

  @Test("A stream opens with the time after which to come again")
  func opening() {
    #expect(text(EventFormat.events.opening) == "retry: 3000\n\n")
    #expect(text(EventFormat.events.heartbeat) == ":\n\n")
    #expect(text(EventFormat.events.failure(Array("{}".utf8))) == "event: error\ndata: {}\n\n")
  }

  @Test(
    "Accept chooses the form",
    arguments: [
      (nil, EventFormat.events), ("text/event-stream", .events), ("*/*", .events),
      ("application/x-ndjson", .lines), ("application/ndjson", .lines),
      ("text/event-stream, application/x-ndjson", .events),
    ]
  )
  func choice(accept: String?, format: EventFormat) {
    var headers = HTTPHeaders()
    if let accept { headers.append("accept", accept) }
    #expect(EventFormat(.sse, headers) == format)
    #expect(EventFormat(.ndjson, headers) == .lines)
  }
}
