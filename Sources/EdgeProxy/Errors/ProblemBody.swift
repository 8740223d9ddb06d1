internal import HTTPCore
internal import JSON

extension Problem {
  /// The body of the answer: RFC 9457's members and our `error_code`, `request_id` and extras.
  ///
  /// `documentation` is the address of the page that explains every reason.
  func body(requestID: String, documentation: String) -> [UInt8] {
    var writer = JSONWriter(reserving: 320 + detail.utf8.count)
    writer.beginObject()
    writer.key("detail")
    if let value = detailJSON.flatMap(Self.parsed) {
      writer.raw(value)
    } else {
      writer.string(detail)
    }
    writer.key("error_code")
    writer.string(reason)
    writer.key("status")
    writer.int(Int64(status.rawValue))
    writer.key("title")
    writer.string(ReasonTable.entry(reason)?.title ?? status.reasonPhrase)
    writer.key("type")
    writer.string("\(documentation)#\(reason)")
    writer.key("request_id")
    writer.string(requestID)
    if let seconds = retryAfterSeconds {
      writer.key("retry_after")
      writer.int(Int64(seconds))
    }
    writeViolations(to: &writer)
    writeExtras(to: &writer)
    writer.endObject()
    return writer.bytes
  }

  /// Whole seconds of `retryAfter`, at least 1.
  var retryAfterSeconds: Int? {
    retryAfter.map { delay in
      let (seconds, rest) = delay.components
      return max(1, Int(seconds) + (rest > 0 ? 1 : 0))
    }
  }

  private func writeViolations(to writer: inout JSONWriter) {
    guard !violations.isEmpty else { return }
    writer.key("errors")
    writer.beginArray()
    for violation in violations {
      writer.beginObject()
      writer.key("pointer")
      writer.string(violation.pointer)
      writer.key("detail")
      writer.string(violation.detail)
      writer.endObject()
    }
    writer.endArray()
  }

  /// Members of `extras`, without those that the body has already.
  private func writeExtras(to writer: inout JSONWriter) {
    guard let extras, let parser = try? JSONParser() else { return }
    var text = Array(extras.utf8)
    var taken: Set = ["detail", "error_code", "status", "title", "type", "request_id"]
    if retryAfter != nil { taken.insert("retry_after") }
    if !violations.isEmpty { taken.insert("errors") }
    let members = try? parser.parse(&text) { root -> [(String, [UInt8])] in
      guard root.kind == .object else { return [] }
      var members: [(String, [UInt8])] = []
      var key = root.first
      while !key.isEnd {
        if taken.insert(key.string).inserted { members.append((key.string, key.next.text)) }
        key = key.next.next
      }
      return members
    }
    for (name, value) in members ?? [] {
      writer.key(name)
      writer.raw(value)
    }
  }

  /// A service's JSON, checked and written again.
  private static func parsed(_ json: String) -> [UInt8]? {
    guard let parser = try? JSONParser() else { return nil }
    var text = Array(json.utf8)
    return try? parser.parse(&text) { $0.text }
  }
}

extension JSONElement {
  /// The value as text again.
  fileprivate var text: [UInt8] {
    var writer = JSONWriter()
    write(to: &writer)
    return writer.bytes
  }

  private func write(to writer: inout JSONWriter) {
    switch kind {
    case .object:
      writer.beginObject()
      var key = first
      while !key.isEnd {
        writer.key(utf8: key.utf8)
        key.next.write(to: &writer)
        key = key.next.next
      }
      writer.endObject()
    case .array:
      writer.beginArray()
      var item = first
      while !item.isEnd {
        item.write(to: &writer)
        item = item.next
      }
      writer.endArray()
    case .string: writer.string(utf8: utf8)
    case .int64: writer.int(int64)
    case .uint64: writer.uint(uint64)
    case .double: writer.double(double)
    case .true: writer.bool(true)
    case .false: writer.bool(false)
    default: writer.null()
    }
  }
}
