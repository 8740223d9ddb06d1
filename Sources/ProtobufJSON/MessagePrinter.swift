internal import JSON
internal import Protobuf

/// Prints C structs as JSON.
///
/// The structs come from the guarded unpacking, so strings are valid UTF-8 and the depth is bounded.
struct MessagePrinter {
  let schema: JSONSchema
  let style: JSONStyle
  var writer: JSONWriter

  /// Prints one message.
  mutating func print(
    _ message: UnsafeRawPointer,
    _ plan: MessagePlan
  ) throws(TranscodingError) {
    if let wellKnown = plan.wellKnown, wellKnown != .empty {
      try printWellKnown(wellKnown, message, plan)
      return
    }
    writer.beginObject()
    try printMembers(of: message, plan)
    writer.endObject()
  }

  /// Prints the fields of a message, without the braces.
  mutating func printMembers(
    of message: UnsafeRawPointer,
    _ plan: MessagePlan
  ) throws(TranscodingError) {
    for field in plan.fields {
      switch field.cardinality {
      case .implicit: try printImplicit(message, field)
      case .explicit: try printExplicit(message, field)
      case .repeated:
        guard style == .edge || count(message, field) > 0 else { continue }
        writeKey(of: field)
        try printList(message, field)
      case .map:
        guard style == .edge || count(message, field) > 0 else { continue }
        writeKey(of: field)
        try printMap(message, field)
      }
    }
  }

  /// Prints the value of one field alone (`response_body`); an unset message prints as `{}`.
  mutating func printField(
    _ message: UnsafeRawPointer,
    _ field: FieldPlan
  ) throws(TranscodingError) {
    switch field.cardinality {
    case .repeated: try printList(message, field)
    case .map: try printMap(message, field)
    case .implicit, .explicit:
      if field.storage == .message, (message + field.offset).loadPointer() == nil {
        writer.beginObject()
        writer.endObject()
      } else {
        try printValue(at: message + field.offset, field)
      }
    }
  }

  private mutating func writeKey(of field: FieldPlan) {
    writer.preparedKey(style == .edge ? field.edgeKey : field.protoKey)
  }

  private mutating func printImplicit(
    _ message: UnsafeRawPointer,
    _ field: FieldPlan
  ) throws(TranscodingError) {
    let place = message + field.offset
    guard style == .edge || !isDefault(place, field.storage) else { return }
    writeKey(of: field)
    try printValue(at: place, field)
  }

  private mutating func printExplicit(
    _ message: UnsafeRawPointer,
    _ field: FieldPlan
  ) throws(TranscodingError) {
    let place = message + field.offset
    let isSet =
      field.quantifierOffset >= 0
      ? message.load(fromByteOffset: field.quantifierOffset, as: UInt32.self)
        == UInt32(field.info.number)
      : place.loadPointer() != nil
    if isSet {
      writeKey(of: field)
      try printValue(at: place, field)
    } else if style == .edge, field.info.nullWhenUnset {
      writeKey(of: field)
      writer.null()
    }
  }

  private func count(_ message: UnsafeRawPointer, _ field: FieldPlan) -> Int {
    message.load(fromByteOffset: field.quantifierOffset, as: Int.self)
  }

  private mutating func printList(
    _ message: UnsafeRawPointer,
    _ field: FieldPlan
  ) throws(TranscodingError) {
    writer.beginArray()
    if let elements = (message + field.offset).loadPointer() {
      for index in 0..<count(message, field) {
        try printValue(at: elements + index * field.storage.stride, field)
      }
    }
    writer.endArray()
  }

  private mutating func printMap(
    _ message: UnsafeRawPointer,
    _ field: FieldPlan
  ) throws(TranscodingError) {
    writer.beginObject()
    if let entries = (message + field.offset).loadPointer() {
      let (plan, count) = (schema.child(of: field), count(message, field))
      if count <= Self.fewEntries {
        for index in 0..<count where isLast(index, entries, count, plan.fields[0]) {
          try printEntry(entries, index, plan)
        }
      } else {
        for index in lastEntries(entries, count, plan) { try printEntry(entries, index, plan) }
      }
    }
    writer.endObject()
  }

  private mutating func printEntry(
    _ entries: UnsafeRawPointer,
    _ index: Int,
    _ plan: MessagePlan
  ) throws(TranscodingError) {
    guard let entry = (entries + index * 8).loadPointer() else { return }
    printMapKey(at: entry + plan.fields[0].offset, plan.fields[0])
    try printMapValue(entry, plan.fields[1])
  }

  /// Up to so many entries are compared with each other, which needs no memory.
  private static let fewEntries = 8

  /// Whether the key of an entry does not come again: on the wire the last one wins.
  private func isLast(
    _ index: Int,
    _ entries: UnsafeRawPointer,
    _ count: Int,
    _ key: FieldPlan
  ) -> Bool {
    guard let entry = (entries + index * 8).loadPointer() else { return false }
    for later in (index + 1)..<max(count, index + 1) {
      guard let other = (entries + later * 8).loadPointer() else { continue }
      if key.isEqual(entry + key.offset, other + key.offset) { return false }
    }
    return true
  }

  /// Indices of the entries whose key does not come again.
  private func lastEntries(
    _ entries: UnsafeRawPointer,
    _ count: Int,
    _ plan: MessagePlan
  ) -> [Int] {
    let key = plan.fields[0]
    var places: [[UInt8]: Int] = [:]
    for index in 0..<count {
      guard let entry = (entries + index * 8).loadPointer() else { continue }
      let place = entry + key.offset
      let bytes =
        key.storage == .string
        ? Array(place.loadBytes())
        : Array(UnsafeRawBufferPointer(start: place, count: key.storage.stride))
      places[bytes] = index
    }
    return places.values.sorted()
  }

  private mutating func printMapKey(at place: UnsafeRawPointer, _ field: FieldPlan) {
    if field.storage == .string {
      writer.key(utf8: place.loadBytes())
      return
    }
    writer.separate()
    writer.bytes.append(UInt8(ascii: "\""))
    switch field.storage {
    case .bool: writer.bytes += (place.load(as: Int32.self) != 0 ? "true" : "false").utf8
    case .int64: writer.digits(of: place.load(as: Int64.self))
    case .uint64: writer.digits(of: place.load(as: UInt64.self), negative: false)
    case .uint32: writer.digits(of: UInt64(place.load(as: UInt32.self)), negative: false)
    default: writer.digits(of: Int64(place.load(as: Int32.self)))
    }
    writer.bytes += [UInt8(ascii: "\""), UInt8(ascii: ":")]
  }

  /// Prints the value of a map entry; a message that the wire left out is an empty one.
  private mutating func printMapValue(
    _ entry: UnsafeRawPointer,
    _ field: FieldPlan
  ) throws(TranscodingError) {
    let place = entry + field.offset
    if field.storage == .message, place.loadPointer() == nil {
      let plan = schema.child(of: field)
      let arena = Arena()
      try print(arena.allocateMessage(plan.info), plan)
    } else {
      try printValue(at: place, field)
    }
  }
}
