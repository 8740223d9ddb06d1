internal import JSON
internal import Protobuf

extension MessagePrinter {
  /// Prints the special form of a well-known type.
  mutating func printWellKnown(
    _ type: WellKnownType,
    _ message: UnsafeRawPointer,
    _ plan: MessagePlan
  ) throws(TranscodingError) {
    switch type {
    case .timestamp, .duration: try printTime(type, message, plan)
    case .fieldMask: try printMask(message, plan.fields[0])
    case .wrapper: try printValue(at: message + plan.fields[0].offset, plan.fields[0])
    case .structure, .listValue: try printField(message, plan.fields[0])
    case .value: try printDynamicValue(message, plan)
    case .any: try printAny(message, plan)
    case .empty:
      writer.beginObject()
      writer.endObject()
    }
  }

  private mutating func printTime(
    _ type: WellKnownType,
    _ message: UnsafeRawPointer,
    _ plan: MessagePlan
  ) throws(TranscodingError) {
    let seconds = (message + plan.fields[0].offset).load(as: Int64.self)
    let nanos = (message + plan.fields[1].offset).load(as: Int32.self)
    writer.separate()
    writer.bytes.append(UInt8(ascii: "\""))
    let isPrinted =
      type == .timestamp
      ? TimeText.append(seconds: seconds, nanos: nanos, to: &writer.bytes)
      : DurationText.append(seconds: seconds, nanos: nanos, to: &writer.bytes)
    guard isPrinted else {
      throw TranscodingError(.unprintable, "A time or duration is out of range.")
    }
    writer.bytes.append(UInt8(ascii: "\""))
  }

  private mutating func printMask(
    _ message: UnsafeRawPointer,
    _ field: FieldPlan
  ) throws(TranscodingError) {
    let count = message.load(fromByteOffset: field.quantifierOffset, as: Int.self)
    var text: [UInt8] = []
    if let paths = (message + field.offset).loadPointer() {
      for index in 0..<count {
        guard let path = MaskText.jsonPath((paths + index * field.storage.stride).loadBytes())
        else {
          throw TranscodingError(.unprintable, "A field mask has a path without JSON form.")
        }
        if index > 0 { text.append(UInt8(ascii: ",")) }
        text += path
      }
    }
    text.withUnsafeBufferPointer { writer.string(utf8: $0) }
  }

  private mutating func printDynamicValue(
    _ message: UnsafeRawPointer,
    _ plan: MessagePlan
  ) throws(TranscodingError) {
    let choice = message.load(fromByteOffset: plan.fields[0].quantifierOffset, as: UInt32.self)
    guard let field = plan.fields.first(where: { $0.info.number == Int32(choice) }) else {
      throw TranscodingError(.unprintable, "A dynamic value is not set.")
    }
    let place = message + field.offset
    if field.storage == .double, !place.load(as: Double.self).isFinite {
      throw TranscodingError(.unprintable, "A dynamic value is not a finite number.")
    }
    try printValue(at: place, field)
  }

  private mutating func printAny(
    _ message: UnsafeRawPointer,
    _ plan: MessagePlan
  ) throws(TranscodingError) {
    let type = (message + plan.fields[0].offset).loadBytes()
    let content = (message + plan.fields[1].offset).loadBytes()
    writer.beginObject()
    defer { writer.endObject() }
    if type.isEmpty, content.isEmpty { return }
    let url = String(decoding: type, as: UTF8.self)
    let name = url.split(separator: "/").last.map(String.init) ?? ""
    // any.proto: a type URL has at least one slash; we read none without.
    guard url.contains("/"), let contentPlan = schema.plan(named: name) else {
      throw TranscodingError(.unprintable, "There is no such type: \(url).")
    }
    writer.key("@type")
    writer.string(utf8: type)
    try printContent(of: UnsafeRawBufferPointer(content), contentPlan)
  }

  private mutating func printContent(
    of bytes: UnsafeRawBufferPointer,
    _ plan: MessagePlan
  ) throws(TranscodingError) {
    let unpacked: UnpackedMessage
    do {
      unpacked = try UnpackedMessage(plan.info, bytes)
    } catch {
      throw TranscodingError(.unprintable, "An Any holds bytes that are not its type.")
    }
    if let wellKnown = plan.wellKnown, wellKnown != .empty {
      writer.key("value")
      try printWellKnown(wellKnown, unpacked.cMessage, plan)
    } else {
      try printMembers(of: unpacked.cMessage, plan)
    }
  }
}
