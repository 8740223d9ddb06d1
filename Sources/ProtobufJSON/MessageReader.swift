internal import JSON
internal import Protobuf

/// Builds C structs from parsed JSON.
///
/// Strings are not copied: the structs point into the parser's buffer, so they must be packed before
/// the next text is parsed.
struct MessageReader {
  let schema: JSONSchema
  /// Fields that the schema does not know are dropped instead of refused.
  let ignoresUnknownFields: Bool
  /// Names of fields that were given although the schema ignores them.
  private(set) var ignoredFields: [String] = []

  init(schema: JSONSchema, ignoresUnknownFields: Bool) {
    self.schema = schema
    self.ignoresUnknownFields = ignoresUnknownFields
  }

  /// Remembers that a field was given although the schema ignores it.
  mutating func noteIgnored(_ name: String) { ignoredFields.append(name) }

  /// Reads `element` into a fresh struct of the type `plan`.
  ///
  /// `depth` counts the levels of messages including this one.
  mutating func readMessage(
    _ element: JSONElement,
    _ plan: MessagePlan,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) -> UnsafeMutableRawPointer {
    guard depth <= ProtobufLimits.depth else {
      throw TranscodingError(.malformedJSON, "The document nests too deep.")
    }
    let message = arena.allocateMessage(plan.info)
    if let wellKnown = plan.wellKnown, wellKnown != .empty {
      try readWellKnown(wellKnown, element, plan, into: message, depth: depth, arena)
    } else {
      try readObject(element, plan, into: message, depth: depth, skipping: nil, arena)
    }
    return message
  }

  /// Reads an object's members into the fields of `message`.
  ///
  /// `skipping` is a member that is no field (`@type` of an Any).
  mutating func readObject(
    _ element: JSONElement,
    _ plan: MessagePlan,
    into message: UnsafeMutableRawPointer,
    depth: Int,
    skipping: StaticString?,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    guard element.kind == .object else {
      throw TranscodingError(.invalidValue, "Expected an object, found \(element.kind.noun).")
    }
    var seen = FieldSet()
    var key = element.first
    while !key.isEnd {
      let value = key.next
      if let field = plan.field(key.utf8) {
        guard seen.insert(field.index) else {
          throw Self.duplicate(of: field, at: key, in: element, plan)
        }
        try readMember(value, of: key, field, plan, into: message, depth: depth, arena)
      } else if !ignoresUnknownFields, skipping.map({ key.utf8.elementsEqual($0.bytes) }) != true {
        throw TranscodingError(.unknownField, "There is no such field.").under(key.string)
      }
      key = value.next
    }
  }

  private mutating func readMember(
    _ value: JSONElement,
    of key: JSONElement,
    _ field: FieldPlan,
    _ plan: MessagePlan,
    into message: UnsafeMutableRawPointer,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    if field.info.ignoredInput {
      noteIgnored(field.info.name)
      return
    }
    do {
      try checkChoice(field, value, message)
      try readField(value, field, into: message, depth: depth, arena)
    } catch {
      throw error.under(key.string)
    }
  }

  /// Reads a value of any cardinality into its field; null leaves it unset.
  mutating func readField(
    _ value: JSONElement,
    _ field: FieldPlan,
    into message: UnsafeMutableRawPointer,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    let isSingular = field.cardinality == .implicit || field.cardinality == .explicit
    if value.kind == .null, !(isSingular && takesNull(field)) { return }
    switch field.cardinality {
    case .repeated: try readList(value, field, into: message, depth: depth, arena)
    case .map: try readMap(value, field, into: message, depth: depth, arena)
    case .implicit, .explicit:
      try readValue(value, field, at: message + field.offset, depth: depth, arena)
      field.markSet(in: message)
    }
  }

  /// Reads one value to `place`, which is a field or an element of a list.
  mutating func readValue(
    _ value: JSONElement,
    _ field: FieldPlan,
    at place: UnsafeMutableRawPointer,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    if field.storage == .message {
      let child = try readMessage(value, schema.child(of: field), depth: depth + 1, arena)
      place.storeBytes(of: child, as: UnsafeMutableRawPointer.self)
    } else {
      try ScalarReader.read(value, field, at: place, arena)
    }
  }

  private mutating func readList(
    _ value: JSONElement,
    _ field: FieldPlan,
    into message: UnsafeMutableRawPointer,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    guard value.kind == .array else {
      throw TranscodingError(.invalidValue, "Expected an array, found \(value.kind.noun).")
    }
    let count = value.count
    guard count > 0 else { return }
    let stride = field.storage.stride
    let elements = arena.allocate(bytes: count * stride)
    var cursor = value.first
    var index = 0
    while !cursor.isEnd {
      do throws(TranscodingError) {
        guard cursor.kind != .null || takesNull(field) else {
          throw TranscodingError(.invalidValue, "An element must not be null.")
        }
        try readValue(cursor, field, at: elements + index * stride, depth: depth, arena)
      } catch {
        throw error.under(index)
      }
      index += 1
      cursor = cursor.next
    }
    storeList(elements, count, field, in: message)
  }

  private mutating func readMap(
    _ value: JSONElement,
    _ field: FieldPlan,
    into message: UnsafeMutableRawPointer,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    guard value.kind == .object else {
      throw TranscodingError(.invalidValue, "Expected an object, found \(value.kind.noun).")
    }
    guard depth < ProtobufLimits.depth else {
      throw TranscodingError(.malformedJSON, "The document nests too deep.")
    }
    let count = value.count
    guard count > 0 else { return }
    try Self.refuseRepeatedKeys(of: value, count)
    let entryPlan = schema.child(of: field)
    let entries = arena.allocate(UnsafeMutableRawPointer.self, count: count)
    var key = value.first
    var index = 0
    while !key.isEnd {
      let item = key.next
      do {
        entries[index] = try readEntry(key, item, entryPlan, depth: depth + 1, arena)
      } catch {
        throw error.under(key.string)
      }
      index += 1
      key = item.next
    }
    storeList(UnsafeMutableRawPointer(entries), count, field, in: message)
  }

  private mutating func readEntry(
    _ key: JSONElement,
    _ value: JSONElement,
    _ plan: MessagePlan,
    depth: Int,
    _ arena: borrowing Arena
  ) throws(TranscodingError) -> UnsafeMutableRawPointer {
    let entry = arena.allocateMessage(plan.info)
    let (keyField, valueField) = (plan.fields[0], plan.fields[1])
    try ScalarReader.read(text: key.utf8, keyField, at: entry + keyField.offset, isKey: true, arena)
    guard value.kind != .null || takesNull(valueField) else {
      throw TranscodingError(.invalidValue, "A value of a map must not be null.")
    }
    try readValue(value, valueField, at: entry + valueField.offset, depth: depth, arena)
    keyField.markSet(in: entry)
    valueField.markSet(in: entry)
    return entry
  }

  private func storeList(
    _ elements: UnsafeMutableRawPointer,
    _ count: Int,
    _ field: FieldPlan,
    in message: UnsafeMutableRawPointer
  ) {
    message.storeBytes(of: elements, toByteOffset: field.offset, as: UnsafeMutableRawPointer.self)
    message.storeBytes(of: count, toByteOffset: field.quantifierOffset, as: Int.self)
  }

  /// Null is a value for `google.protobuf.Value` and `NullValue`, and "not set" for all others.
  ///
  /// Says so of one element, whatever the field's cardinality.
  private func takesNull(_ field: FieldPlan) -> Bool {
    switch field.storage {
    case .message: return schema.child(of: field).wellKnown == .value
    case .enumeration: return field.enumeration?.fullName == "google.protobuf.NullValue"
    default: return false
    }
  }

  /// Refuses a second member of a oneof.
  private func checkChoice(
    _ field: FieldPlan,
    _ value: JSONElement,
    _ message: UnsafeMutableRawPointer
  ) throws(TranscodingError) {
    guard field.info.oneofIndex != nil, field.quantifierOffset >= 0 else { return }
    if value.kind == .null, !takesNull(field) { return }
    let taken = message.load(fromByteOffset: field.quantifierOffset, as: UInt32.self)
    guard taken == 0 else {
      throw TranscodingError(.duplicateField, "Another member of the same choice is given, too.")
    }
  }

  /// Which of two values was meant nobody can say: readers of JSON differ in it.
  private static func refuseRepeatedKeys(
    of object: JSONElement,
    _ count: Int
  ) throws(TranscodingError) {
    guard count > 1 else { return }
    var known = Set<String>(minimumCapacity: count)
    var key = object.first
    while !key.isEnd {
      guard known.insert(key.string).inserted else {
        throw TranscodingError(.duplicateField, "The key '\(key.string)' is given twice.")
          .under(key.string)
      }
      key = key.next.next
    }
  }

  private static func duplicate(
    of field: FieldPlan,
    at key: JSONElement,
    in object: JSONElement,
    _ plan: MessagePlan
  ) -> TranscodingError {
    var first = object.first
    while plan.field(first.utf8)?.index != field.index { first = first.next.next }
    let (one, other) = (first.string, key.string)
    let detail =
      one == other
      ? "The field '\(one)' is given twice."
      : "The fields '\(one)' and '\(other)' are spellings of one field; send one of them."
    return TranscodingError(.duplicateField, detail).under(other)
  }
}

/// A set of field indices; messages of up to 64 fields allocate nothing.
struct FieldSet {
  private var low: UInt64 = 0
  private var rest: Set<Int> = []

  /// False if `index` was a member already.
  mutating func insert(_ index: Int) -> Bool {
    guard index < 64 else { return rest.insert(index).inserted }
    let bit = UInt64(1) << UInt64(index)
    defer { low |= bit }
    return low & bit == 0
  }
}

extension StaticString {
  var bytes: UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
  }
}

extension JSONKind {
  /// What the value is, for an error text.
  var noun: String {
    switch self {
    case .object: "an object"
    case .array: "an array"
    case .string: "a string"
    case .int64, .uint64, .double: "a number"
    case .true, .false: "a boolean"
    default: "null"
    }
  }
}
