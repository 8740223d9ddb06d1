import EventLoop
import Foundation
import Logging
import RPC
import Testing

@testable import ServiceKit

@Suite("Logging") struct LoggingTests {
  private struct Output {
    let pipe = Pipe()
    let sink: LogSink

    init() throws { sink = try LogSink(descriptor: pipe.fileHandleForWriting.fileDescriptor) }

    func objects() throws -> [[String: Any]] {
      sink.close()
      try pipe.fileHandleForWriting.close()
      let data = try #require(try pipe.fileHandleForReading.readToEnd())
      return try data.split(separator: 0x0A).map { line in
        try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
      }
    }
  }

  private func logger(_ sink: LogSink, level: Logger.Level = .info) -> Logger {
    Logger(label: "test") { _ in
      JSONLogHandler(
        service: "jobs",
        sink: sink,
        level: level,
        clock: ManualWallClock(),
        metadataProvider: LogContext.provider
      )
    }
  }

  @Test("A line is one object with constant message, fields and the task's ids")
  func line() throws {
    let output = try Output()
    var logger = logger(output.sink)
    logger[metadataKey: "attempt"] = .stringConvertible(2)
    let user = UserID(UUID())
    LogContext.$current.withValue(LogContext(requestID: "r-1", userID: user)) {
      logger.info("job done", metadata: ["path": "a\"\\\n\u{1}é", "level": "x"])
    }
    let object = try #require(try output.objects().first)
    #expect(object["ts"] as? String == "2023-11-14T22:13:20.000Z")
    #expect(object["level"] as? String == "info")
    #expect(object["level_"] as? String == "x")
    #expect(object["service"] as? String == "jobs")
    #expect(object["message"] as? String == "job done")
    #expect(object["request_id"] as? String == "r-1")
    #expect(object["user_id"] as? String == user.description)
    #expect(object["attempt"] as? Int == 2)
    #expect(object["path"] as? String == "a\"\\\n\u{1}é")
  }

  @Test("Lines of a handler carry the ids of its call")
  func handlerIDs() throws {
    let output = try Output()
    let user = UUID().uuidString.lowercased()
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    let loop = try EventLoop(name: "unused")
    let context = ServerContext(
      method: MethodDescriptor(
        service: "test.Service",
        method: "Do",
        kind: .unary,
        allowedCallers: [],
        noSideEffects: true,
        defaultTimeoutMilliseconds: 0,
        requestType: "",
        responseType: ""
      ),
      caller: "edge",
      metadata: Metadata([
        "x-request-id": "r-2", "traceparent": "00-\(trace)-00f067aa0ba902b7-01",
        "x-oneshot-user-id": user, "x-oneshot-session-id": UUID().uuidString,
      ]),
      deadline: .now,
      loop: loop
    )
    let job = JobID(UUID())
    LogContext.$current.withValue(LogContext(call: context)) {
      logger(output.sink).info("token used twice")
      LogContext.note(job)
      logger(output.sink).info("hold taken")
    }
    let objects = try output.objects()
    #expect(objects.map { $0["job_id"] as? String } == [nil, "\(job)"])
    let object = try #require(objects.first)
    #expect(object["request_id"] as? String == "r-2")
    #expect(object["trace_id"] as? String == trace)
    #expect(object["user_id"] as? String == user)
  }

  @Test("Lines of many tasks stay whole and in number")
  func concurrency() async throws {
    let output = try Output()
    let logger = logger(output.sink)
    // Fewer bytes than a pipe holds, so that nobody needs to read meanwhile.
    await withTaskGroup(of: Void.self) { group in
      for index in 0..<8 {
        group.addTask { for _ in 0..<50 { logger.info("m", metadata: ["i": "\(index)"]) } }
      }
    }
    #expect(try output.objects().count == 400)
  }

  @Test("A long value is cut and the line stays valid JSON")
  func longValue() throws {
    let output = try Output()
    logger(output.sink).info("m", metadata: ["v": "\(String(repeating: "ä", count: 9_000))"])
    let value = try #require(try output.objects().first?["v"] as? String)
    #expect(value.count == 2_049)
    #expect(value.hasSuffix("…"))
  }

  @Test("Lines below the level are not written")
  func level() throws {
    let output = try Output()
    let logger = logger(output.sink, level: .warning)
    logger.info("no")
    logger.error("yes")
    #expect(try output.objects().map { $0["message"] as? String } == ["yes"])
  }

  @Test(
    "Dates are printed as RFC 3339 in UTC",
    arguments: [
      (0.0, "1970-01-01T00:00:00.000Z"), (951_782_400.5, "2000-02-29T00:00:00.500Z"),
      (-0.001, "1969-12-31T23:59:59.999Z"), (4_102_444_799.0, "2099-12-31T23:59:59.000Z"),
      (-62_135_596_800.0, "0001-01-01T00:00:00.000Z"),
    ]
  )
  func dates(_ seconds: Double, _ text: String) {
    #expect(RFC3339.text(Date(timeIntervalSince1970: seconds)) == text)
  }
}
