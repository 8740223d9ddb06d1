import EventLoop
import Foundation
import Testing

@testable import EdgeProxy

@Suite("Streams through the edge")
struct EventStreamTests {
  @Test("A stream is written as events with ids and names, and ends by itself")
  func events() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send(
        "GET",
        "/api/v1/jobs/j/events",
        ["accept": "text/event-stream"],
        token: edge.mint.token()
      )
      #expect(reply.status == 200)
      #expect(reply.headers["content-type"] == "text/event-stream")
      #expect(reply.headers["cache-control"] == "no-store")
      #expect(reply.headers["x-accel-buffering"] == "no")
      #expect(reply.body.hasPrefix("retry: 3000\n\nid: 1\nevent: progress\ndata: {\"id\":1,"))
      #expect(reply.body.contains("\n\nid: 3\nevent: succeeded\ndata: {"))
      #expect(reply.body.hasSuffix("}\n\n"))
    }
  }

  @Test("A client that comes again gets what it has not seen", arguments: [true, false])
  func resume(byHeader: Bool) async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send(
        "GET",
        "/api/v1/jobs/j/events" + (byHeader ? "" : "?last_event_id=2"),
        byHeader ? ["last-event-id": "2"] : [:],
        token: edge.mint.token()
      )
      #expect(reply.body.contains("id: 3\n"))
      #expect(!reply.body.contains("id: 2\n"))
    }
  }

  @Test("After the last event there is nothing more, which 204 says")
  func complete() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send(
        "GET",
        "/api/v1/jobs/j/events",
        ["last-event-id": "3"],
        token: edge.mint.token()
      )
      #expect(reply.status == 204)
    }
  }

  @Test("By Accept the messages are lines of JSON")
  func lines() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send(
        "GET",
        "/api/v1/jobs/j/events",
        ["accept": "application/x-ndjson"],
        token: edge.mint.token()
      )
      #expect(reply.headers["content-type"] == "application/x-ndjson")
      let lines = reply.body.split(separator: "\n")
      #expect(lines.count == 3)
      #expect(lines.allSatisfy { $0.hasPrefix("{\"id\":") && $0.hasSuffix("}") })
    }
  }

  @Test("An error before the first message is a status")
  func earlyError() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send(
        "GET",
        "/api/v1/jobs/missing/events",
        token: edge.mint.token()
      )
      #expect((reply.status, reply.errorCode ?? "") == (404, "NOT_FOUND"))
    }
  }

  @Test("An error after that is the last event")
  func lateError() async throws {
    try await EdgeFixture.run { edge in
      let reply = try await edge.send("GET", "/api/v1/jobs/broken/events", token: edge.mint.token())
      #expect(reply.status == 200)
      #expect(reply.body.contains("id: 1\n"))
      #expect(reply.body.contains("event: error\ndata: {\"detail\":"))
      #expect(reply.errorCode == "UNAVAILABLE")
    }
  }

  @Test("A stream ends with the life of its token, and silence is filled with comments")
  func tokenLife() async throws {
    var options = EdgeFixture.Options()
    options.limits.heartbeat = .seconds(1)
    try await EdgeFixture.run(options) { edge in
      let token = try await edge.mint.token { $0.exp = Int(Date().timeIntervalSince1970) + 4 }
      let start = MonotonicInstant.now
      let reply = try await edge.send("GET", "/api/v1/jobs/endless/events", token: token)
      #expect(reply.status == 200)
      #expect(reply.body.contains("\n\n:\n\n"))
      #expect(!reply.body.contains("event: error"))
      #expect(start.duration(to: .now) < .seconds(20))
    }
  }

  @Test("A stream without a message soon begins its answer")
  func quiet() async throws {
    try await EdgeFixture.run { edge in
      let token = try await edge.mint.token { $0.exp = Int(Date().timeIntervalSince1970) + 30 }
      let text =
        "GET /api/v1/jobs/endless/events HTTP/1.1\r\nhost: x\r\nlast-event-id: 3\r\n"
        + "authorization: Bearer \(token)\r\n\r\n"
      let start = MonotonicInstant.now
      let bytes = try await RawSocket.exchange(Array(text.utf8), edge.port) {
        String(decoding: $0, as: UTF8.self).contains("retry: 3000")
      }
      #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("HTTP/1.1 200 OK"))
      #expect(start.duration(to: .now) < .seconds(9))
    }
  }
}
