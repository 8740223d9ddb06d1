internal import CLlhttp

/// What llhttp's callbacks saw during one call, as offsets of the bytes given to that call.
struct ParseRecord {
  struct FieldSpan {
    var name: Range<Int>
    var value: Range<Int>
  }

  var base: UnsafePointer<CChar>?
  var target = 0..<0
  var fields: [FieldSpan] = []
  var fieldName = 0..<0
  var body = 0..<0
  var headComplete = false
  var messageComplete = false

  func range(_ at: UnsafePointer<CChar>?, _ length: Int) -> Range<Int> {
    guard let base, let at else { return 0..<0 }
    let start = base.distance(to: at)
    return start..<start + length
  }
}

/// Owns one `llhttp_t`, its settings and the record that its callbacks write.
///
/// Confined to the connection that made it. The callbacks only note what they saw; nothing
/// re-enters the parser.
final class LlhttpDriver {
  private let parser = UnsafeMutablePointer<llhttp_t>.allocate(capacity: 1)
  private let settings = UnsafeMutablePointer<llhttp_settings_t>.allocate(capacity: 1)
  private let record = UnsafeMutablePointer<ParseRecord>.allocate(capacity: 1)

  init() {
    record.initialize(to: ParseRecord())
    settings.initialize(to: llhttp_settings_t())
    parser.initialize(to: llhttp_t())
    llhttp_settings_init(settings)
    Self.install(&settings.pointee)
    start()
  }

  deinit {
    parser.deallocate()
    settings.deallocate()
    record.deinitialize(count: 1)
    record.deallocate()
  }

  /// The outcome of ``execute(_:)``.
  struct Outcome {
    /// Bytes taken from the front of the input.
    var consumed: Int
    /// True if llhttp refused the input.
    var refused: Bool
  }

  var seen: ParseRecord { record.pointee }

  var minorVersion: UInt8 { parser.pointee.http_minor }
  var majorVersion: UInt8 { parser.pointee.http_major }

  /// Forgets everything and expects a new request.
  func start() {
    llhttp_init(parser, HTTP_REQUEST, settings)
    parser.pointee.data = UnsafeMutableRawPointer(record)
    record.pointee.fields.removeAll(keepingCapacity: true)
    record.pointee.headComplete = false
    record.pointee.messageComplete = false
    record.pointee.target = 0..<0
  }

  /// Parses until the bytes end, a run of body bytes or the message is complete, or an error.
  func execute(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    guard let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else {
      return Outcome(consumed: 0, refused: false)
    }
    record.pointee.base = base
    record.pointee.body = 0..<0
    if llhttp_get_errno(parser) == HPE_PAUSED {
      llhttp_resume(parser)
    }
    let code = llhttp_execute(parser, base, bytes.count)
    record.pointee.base = nil
    switch code {
    case HPE_OK:
      return Outcome(consumed: bytes.count, refused: false)
    case HPE_PAUSED:
      let position = llhttp_get_error_pos(parser).map { base.distance(to: $0) }
      return Outcome(consumed: position ?? bytes.count, refused: false)
    default:
      return Outcome(consumed: 0, refused: true)
    }
  }

  private static func install(_ settings: inout llhttp_settings_t) {
    settings.on_url = { parser, at, length in
      LlhttpDriver.note(parser) { $0.target = $0.range(at, length) }
    }
    settings.on_header_field = { parser, at, length in
      LlhttpDriver.note(parser) { $0.fieldName = $0.range(at, length) }
    }
    settings.on_header_value = { parser, at, length in
      LlhttpDriver.note(parser) { record in
        // Trailers are checked by llhttp and dropped.
        guard !record.headComplete else { return }
        record.fields.append(.init(name: record.fieldName, value: record.range(at, length)))
      }
    }
    settings.on_headers_complete = { parser in
      // An upgrade is never taken: the body, if any, is parsed as usual (RFC 9110 §7.8).
      parser?.pointee.upgrade = 0
      return LlhttpDriver.note(parser) { $0.headComplete = true }
    }
    settings.on_body = { parser, at, length in
      _ = LlhttpDriver.note(parser) { $0.body = $0.range(at, length) }
      return Int32(HPE_PAUSED.rawValue)
    }
    settings.on_message_complete = { parser in
      _ = LlhttpDriver.note(parser) { $0.messageComplete = true }
      return Int32(HPE_PAUSED.rawValue)
    }
  }

  private static func note(
    _ parser: UnsafeMutablePointer<llhttp_t>?,
    _ change: (inout ParseRecord) -> Void
  ) -> Int32 {
    guard let data = parser?.pointee.data else { return -1 }
    change(&data.assumingMemoryBound(to: ParseRecord.self).pointee)
    return 0
  }
}
