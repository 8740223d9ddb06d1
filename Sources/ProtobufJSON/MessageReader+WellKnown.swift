internal import JSON
internal import Protobuf

extension MessageReader {
  /// Reads the special form of a well-known type.
  mutating func readWellKnown(
    _ type: WellKnownType,
    _ element: JSONElement,
    _ plan: MessagePlan,
    into message: UnsafeMutableRawPointer,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    switch type {
    case .timestamp, .duration:
      guard element.kind == .string else { throw expected(type, element) }
      try Self.readText(element.utf8, plan, into: message, arena)
    case .fieldMask:
      guard element.kind == .string else { throw expected(type, element) }
      try Self.readText(element.utf8, plan, into: message, arena)
    case .wrapper:
      try ScalarReader.read(element, plan.fields[0], at: message + plan.fields[0].offset, arena)
    case .structure:
      guard element.kind == .object else { throw expected(type, element) }
      try readField(element, plan.fields[0], into: message, depth: depth, arena)
    case .listValue:
      guard element.kind == .array else { throw expected(type, element) }
      try readField(element, plan.fields[0], into: message, depth: depth, arena)
    case .value:
      try readDynamicValue(element, plan, into: message, depth: depth, arena)
    case .any:
      try readAny(element, plan, into: message, depth: depth, arena)
    case .empty:
      try readObject(element, plan, into: message, depth: depth, skipping: nil, arena)
    }
  }

  /// Reads the text form of a time, a duration, a mask or a wrapper.
  ///
  /// - Throws: `.invalidValue` also when the type has no text form.
  static func readText(
    _ text: UnsafeBufferPointer<UInt8>,
    _ plan: MessagePlan,
    into message: UnsafeMutableRawPointer,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    switch plan.wellKnown {
    case .timestamp:
      guard let time = TimeText.parse(text) else {
        throw TranscodingError(.invalidValue, "Expected a time such as 2026-01-31T12:00:00Z.")
      }
      storeTime(time, plan, into: message)
    case .duration:
      guard let time = DurationText.parse(text) else {
        throw TranscodingError(.invalidValue, "Expected a duration such as 1.5s.")
      }
      storeTime(time, plan, into: message)
    case .fieldMask:
      try readMask(text, plan, into: message, arena)
    case .wrapper:
      let field = plan.fields[0]
      try ScalarReader.read(text: text, field, at: message + field.offset, isKey: true, arena)
    default:
      throw TranscodingError(.invalidValue, "Expected an object, found a string.")
    }
  }

  private static func storeTime(
    _ time: (seconds: Int64, nanos: Int32),
    _ plan: MessagePlan,
    into message: UnsafeMutableRawPointer
  ) {
    message.storeBytes(of: time.seconds, toByteOffset: plan.fields[0].offset, as: Int64.self)
    message.storeBytes(of: time.nanos, toByteOffset: plan.fields[1].offset, as: Int32.self)
  }

  private static func readMask(
    _ text: UnsafeBufferPointer<UInt8>,
    _ plan: MessagePlan,
    into message: UnsafeMutableRawPointer,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    guard !text.isEmpty else { return }
    let parts = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    let paths = arena.allocate(bytes: parts.count * FieldPlan.Storage.string.stride)
    for (index, part) in parts.enumerated() {
      guard !part.isEmpty, let path = MaskText.schemaPath(part) else {
        throw TranscodingError(.invalidValue, "Expected field paths in lowerCamelCase.")
      }
      let (data, count) = arena.copy(path)
      (paths + index * FieldPlan.Storage.string.stride)
        .storeBytes(UnsafeBufferPointer(start: data, count: count))
    }
    let field = plan.fields[0]
    message.storeBytes(of: paths, toByteOffset: field.offset, as: UnsafeMutableRawPointer.self)
    message.storeBytes(of: parts.count, toByteOffset: field.quantifierOffset, as: Int.self)
  }

  /// `google.protobuf.Value`: its fields are null, number, string, bool, struct and list, in order.
  private mutating func readDynamicValue(
    _ element: JSONElement,
    _ plan: MessagePlan,
    into message: UnsafeMutableRawPointer,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    let index =
      switch element.kind {
      case .null: 0
      case .int64, .uint64, .double: 1
      case .string: 2
      case .true, .false: 3
      case .object: 4
      default: 5
      }
    try readField(element, plan.fields[index], into: message, depth: depth, arena)
  }

  private mutating func readAny(
    _ element: JSONElement,
    _ plan: MessagePlan,
    into message: UnsafeMutableRawPointer,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    guard element.kind == .object else { throw expected(.any, element) }
    guard !element.first.isEnd else { return }
    guard let type = element.member("@type"), type.kind == .string else {
      throw TranscodingError(.invalidValue, "The member @type is missing.")
    }
    let name = type.string.split(separator: "/").last.map(String.init) ?? ""
    guard type.string.contains("/"), let content = schema.plan(named: name) else {
      throw TranscodingError(.invalidValue, "There is no such type.").under("@type")
    }
    guard depth < ProtobufLimits.depth else {
      throw TranscodingError(.malformedJSON, "The document nests too deep.")
    }
    let inner: UnsafeMutableRawPointer
    if let wellKnown = content.wellKnown, wellKnown != .empty {
      guard let value = element.member("value") else {
        throw TranscodingError(.invalidValue, "The member value is missing.")
      }
      inner = try readMessage(value, content, depth: depth + 1, arena)
    } else {
      inner = arena.allocateMessage(content.info)
      try readObject(element, content, into: inner, depth: depth + 1, skipping: "@type", arena)
    }
    (message + plan.fields[0].offset).storeBytes(type.utf8)
    let (data, count) = arena.copy(arena.pack(inner, reserving: 0))
    (message + plan.fields[1].offset).storeBytes(UnsafeBufferPointer(start: data, count: count))
  }

  private func expected(_ type: WellKnownType, _ element: JSONElement) -> TranscodingError {
    let wanted =
      switch type {
      case .timestamp, .duration, .fieldMask: "a string"
      case .listValue: "an array"
      default: "an object"
      }
    return TranscodingError(.invalidValue, "Expected \(wanted), found \(element.kind.noun).")
  }
}
