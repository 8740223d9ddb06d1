internal import Foundation
package import Logging

/// Writes one JSON object a line: `ts`, `level`, `service`, `message`, then the fields.
///
/// The message is a constant; values are fields. Fields stand beside the four fixed members (one of
/// the same name gets an underscore at its end), so that `request_id`, `trace_id`, `user_id` and
/// `job_id` are found at the top. Values longer than `maxValueBytes` are cut.
package struct JSONLogHandler: LogHandler {
  package var metadata: Logger.Metadata = [:]
  package var metadataProvider: Logger.MetadataProvider?
  package var logLevel: Logger.Level

  private let service: String
  private let sink: LogSink
  private let clock: any WallClock

  /// Longest text of one field.
  static let maxValueBytes = 4 * 1024
  private static let fixedMembers: Set<String> = ["ts", "level", "service", "message"]

  /// Writes for `service` to `sink`.
  package init(
    service: String,
    sink: LogSink,
    level: Logger.Level = .info,
    clock: any WallClock = SystemWallClock(),
    metadataProvider: Logger.MetadataProvider? = nil
  ) {
    self.service = service
    self.sink = sink
    self.clock = clock
    logLevel = level
    self.metadataProvider = metadataProvider
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    var line = JSONLine()
    line.member("ts", RFC3339.text(clock.now()))
    line.member("level", event.level.rawValue)
    line.member("service", service)
    line.member("message", event.message.description)
    for (key, value) in fields(of: event).sorted(by: { $0.key < $1.key }) {
      line.member(Self.fixedMembers.contains(key) ? key + "_" : key, value)
    }
    sink.append(line.finished())
  }

  /// The nearest wins: event over handler over provider.
  private func fields(of event: LogEvent) -> Logger.Metadata {
    var fields = metadataProvider?.get() ?? [:]
    if !metadata.isEmpty { fields.merge(metadata) { _, new in new } }
    if let own = event.metadata { fields.merge(own) { _, new in new } }
    if let error = event.error { fields["error"] = "\(error)" }
    return fields
  }
}

/// Builds one flat JSON object as bytes.
struct JSONLine {
  private var bytes: [UInt8] = [UInt8(ascii: "{")]

  init() { bytes.reserveCapacity(256) }

  mutating func member(_ name: String, _ value: String) {
    key(name)
    string(value)
  }

  mutating func member(_ name: String, _ value: Logger.MetadataValue) {
    key(name)
    append(value)
  }

  consuming func finished() -> [UInt8] {
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }

  private mutating func key(_ name: String) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    string(name)
    bytes.append(UInt8(ascii: ":"))
  }

  private mutating func append(_ value: Logger.MetadataValue) {
    switch value {
    case .string(let text): string(text)
    case .stringConvertible(let value): scalar(value)
    case .array(let values): list(values)
    case .dictionary(let members): object(members)
    }
  }

  /// Numbers and booleans keep their JSON type; all else is text.
  private mutating func scalar(_ value: any CustomStringConvertible & Sendable) {
    switch value {
    case is Bool, is any FixedWidthInteger: bytes.append(contentsOf: value.description.utf8)
    case let number as Double where number.isFinite:
      bytes.append(contentsOf: number.description.utf8)
    default: string(value.description)
    }
  }

  private mutating func list(_ values: [Logger.MetadataValue]) {
    bytes.append(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      append(value)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  private mutating func object(_ members: Logger.Metadata) {
    bytes.append(UInt8(ascii: "{"))
    for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      string(member.key)
      bytes.append(UInt8(ascii: ":"))
      append(member.value)
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private mutating func string(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    var count = 0
    for scalar in text.unicodeScalars {
      count += UTF8.width(scalar)
      guard count <= JSONLogHandler.maxValueBytes else {
        bytes.append(contentsOf: "…".utf8)
        break
      }
      append(scalar)
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func append(_ scalar: Unicode.Scalar) {
    switch scalar {
    case "\"": bytes.append(contentsOf: "\\\"".utf8)
    case "\\": bytes.append(contentsOf: "\\\\".utf8)
    case "\n": bytes.append(contentsOf: "\\n".utf8)
    case "\r": bytes.append(contentsOf: "\\r".utf8)
    case "\t": bytes.append(contentsOf: "\\t".utf8)
    case _ where scalar.value < 0x20 || scalar.value == 0x7F:
      let hex = String(scalar.value, radix: 16)
      bytes.append(contentsOf: "\\u".utf8)
      bytes.append(contentsOf: String(repeating: "0", count: 4 - hex.count).utf8)
      bytes.append(contentsOf: hex.utf8)
    default: bytes.append(contentsOf: UTF8.encode(scalar)?.lazy.map { $0 } ?? [])
    }
  }
}
