import HTTP2
import Testing

@testable import RPC

@Suite("gRPC message frames") struct MessageDeframerTests {
  private func feed(
    _ bytes: [UInt8],
    by size: Int,
    limit: Int = 100
  ) throws -> [ReceivedMessage] {
    var deframer = MessageDeframer(maxMessageBytes: limit)
    var messages: [ReceivedMessage] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      let part = Array(bytes[start..<min(start + size, bytes.count)])
      try part.withUnsafeBytes { try deframer.receive($0) { messages.append($0) } }
    }
    return messages
  }

  @Test("Frame borders mean nothing", arguments: 1...12)
  func borders(size: Int) throws {
    let bytes: [UInt8] = [0, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9]
    #expect(try feed(bytes, by: size).map(\.bytes) == [[7, 8], [], [9]])
  }

  @Test("A message at the limit passes and one byte more is refused before it is there")
  func limit() throws {
    #expect(try feed([0, 0, 0, 0, 3, 1, 2, 3], by: 8, limit: 3).count == 1)
    #expect(throws: MessageDeframer.Failure.tooLarge(4)) {
      try feed([0, 0, 0, 0, 4], by: 8, limit: 3)
    }
    #expect(throws: MessageDeframer.Failure.tooLarge(0xFFFF_FFFF)) {
      try feed([0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3], by: 8)
    }
  }

  @Test("Each message keeps its flag, and an unknown flag is refused")
  func flags() throws {
    let messages = try feed([1, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0], by: 4)
    #expect(messages.map(\.isCompressed) == [true, false])
    #expect(throws: MessageDeframer.Failure.badFlag(2)) { try feed([2, 0, 0, 0, 0], by: 5) }
  }

  @Test("Sealing writes the length of the message behind the prefix")
  func seal() {
    #expect(RPCFraming.frame([7, 8]) == [0, 0, 0, 0, 2, 7, 8])
    var frame = [UInt8](repeating: 0, count: 5 + 70_000)
    RPCFraming.seal(&frame)
    #expect(Array(frame[..<5]) == [0, 0, 1, 0x11, 0x70])
  }
}

@Suite("Messages of a call") struct MessageQueueTests {
  @Test("Messages leave in the order in which they came, however many wait")
  func order() {
    var queue = MessageQueue()
    var taken: [[UInt8]] = []
    for (added, removed) in [(1, 1), (3, 2), (2, 1), (0, 3)] {
      for _ in 0..<added {
        queue.append(ReceivedMessage(bytes: [UInt8(taken.count + queue.count)]))
      }
      for _ in 0..<removed { taken.append(queue.popFirst()?.bytes ?? []) }
    }
    let isEmpty = queue.isEmpty
    let next = queue.popFirst()
    #expect(taken == [[0], [1], [2], [3], [4], [5], []])
    #expect(isEmpty)
    #expect(next == nil)
  }
}

@Suite("grpc-timeout") struct TimeoutHeaderTests {
  private func parse(_ text: String) -> Duration? {
    Array(text.utf8).withUnsafeBufferPointer(TimeoutHeader.parse)
  }

  @Test(
    "Every unit is read",
    arguments: [
      ("1n", Duration.nanoseconds(1)), ("2u", .microseconds(2)), ("100m", .milliseconds(100)),
      ("5S", .seconds(5)), ("2M", .seconds(120)), ("1H", .seconds(3_600)),
      ("99999999H", .seconds(359_999_996_400)),
    ]
  )
  func units(text: String, expected: Duration) {
    #expect(parse(text) == expected)
  }

  @Test("Other forms are refused", arguments: ["", "1", "S", "-1S", "1x", "123456789S", "1.5S"])
  func refused(text: String) {
    #expect(parse(text) == nil)
  }

  @Test(
    "What is written is read back, never shorter, and fits eight digits",
    arguments: [
      Duration.zero, .nanoseconds(1), .milliseconds(20), .seconds(99), .seconds(100_000),
      .seconds(86_400 * 365),
    ]
  )
  func roundTrip(duration: Duration) throws {
    let text = TimeoutHeader.format(duration)
    #expect(text.utf8.count <= 9)
    #expect(try #require(parse(text)) >= duration)
  }
}

@Suite("Text codings of headers") struct CodingTests {
  @Test(
    "Messages travel percent-encoded",
    arguments: [("naïve 50%\n", "na%C3%AFve 50%25%0A"), ("", ""), ("plain ~!", "plain ~!")]
  )
  func percent(text: String, coded: String) {
    #expect(PercentCoding.encode(text) == coded)
    #expect(PercentCoding.decode(coded) == text)
  }

  @Test("A bad escape stays as it is", arguments: ["%G1", "%", "%4"])
  func badEscape(text: String) {
    #expect(PercentCoding.decode(text) == text)
  }

  @Test("Base64 is written without padding and read with or without")
  func base64() {
    #expect(Base64.encode([0xFF, 0xFE]) == "//4")
    #expect(Base64.decode("//4") == [0xFF, 0xFE])
    #expect(Base64.decode("//4=") == [0xFF, 0xFE])
    #expect(Base64.decode("a") == nil)
    #expect(Base64.decode("a*cd") == nil)
    for count in 0..<20 {
      let bytes = (0..<count).map { UInt8($0 * 37 & 255) }
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
  }
}

@Suite("Texts of a status") struct StatusTextTests {
  @Test("Every Unicode character comes back", arguments: 0..<0x11)
  func unicode(plane: UInt32) {
    var text = ""
    for value in plane << 16..<(plane + 1) << 16 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      text.unicodeScalars.append(scalar)
    }
    let coded = PercentCoding.encode(text)
    #expect(coded.utf8.allSatisfy { (0x20...0x7E).contains($0) })
    // Compared as scalars: equal strings may differ in them.
    #expect(PercentCoding.decode(coded).unicodeScalars.elementsEqual(text.unicodeScalars))
  }

  @Test("A text over the limit is cut between characters")
  func cut() {
    #expect(PercentCoding.encode("abc", limit: 2) == "ab")
    #expect(PercentCoding.encode("aé", limit: 6) == "a")
    #expect(PercentCoding.encode("aé", limit: 7) == "a%C3%A9")
  }

  @Test("Details of every kind are read back as they were written")
  func details() {
    let error = ServiceError(
      code: .resourceExhausted,
      reason: "DAILY_LIMIT_EXCEEDED",
      message: "漢字 and 😀",
      retryAfter: .milliseconds(1_500),
      metadata: ["limit": "5"],
      violations: [FieldViolation(field: "params.scale", description: "must be 2 or 4")],
      quotaViolations: [QuotaViolation(subject: "plan:free", description: "5 jobs a day")]
    )
    var block: HeaderBlock = [:]
    StatusDetails.append(error, to: &block)
    let read = StatusDetails.error(in: block, httpStatus: 200)
    #expect(read?.message == error.message)
    #expect(read?.retryAfter == error.retryAfter)
    #expect(read?.metadata == error.metadata)
    #expect(read?.violations == error.violations)
    #expect(read?.quotaViolations == error.quotaViolations)
  }

  @Test("However long text and details are, the trailers stay below 8 KiB")
  func bounded() {
    let long = String(repeating: "é", count: 100_000)
    for error in [
      ServiceError.runtime(.aborted, long),
      ServiceError(code: .aborted, reason: "A", message: "short", metadata: ["k": long]),
    ] {
      var block: HeaderBlock = [:]
      StatusDetails.append(error, to: &block)
      #expect(block.listBytes < 8 * 1_024)
      let read = StatusDetails.error(in: block, httpStatus: 200)
      #expect(read?.code == .aborted)
      #expect(error.message.hasPrefix(read?.message ?? "?"))
    }
  }

  @Test(
    "A reply without grpc-status is read by its HTTP status",
    arguments: [
      (200, StatusCode.unknown), (400, .internalError), (401, .unauthenticated),
      (403, .permissionDenied), (404, .unimplemented), (429, .unavailable), (431, .internalError),
      (500, .unknown), (502, .unavailable), (503, .unavailable), (504, .unavailable),
    ]
  )
  func http(status: Int, code: StatusCode) {
    #expect(StatusDetails.error(in: [":status": "\(status)"], httpStatus: status)?.code == code)
  }
}
