internal import SwiftProtobufPluginLibrary

/// How one value of a field looks in Swift and in C.
enum ValueKind {
  /// The C and the Swift type are the same.
  case number(swift: String)
  /// Its bits lie in the C struct: protobuf-c would leave a negative zero out.
  case float(swift: String)
  case bool
  case string
  case bytes
  case enumeration(EnumDescriptor)
  case message(Descriptor)

  init(_ field: FieldDescriptor) throws {
    switch field.type {
    case .double: self = .float(swift: "Double")
    case .float: self = .float(swift: "Float")
    case .int32, .sint32, .sfixed32: self = .number(swift: "Int32")
    case .int64, .sint64, .sfixed64: self = .number(swift: "Int64")
    case .uint32, .fixed32: self = .number(swift: "UInt32")
    case .uint64, .fixed64: self = .number(swift: "UInt64")
    case .bool: self = .bool
    case .string: self = .string
    case .bytes: self = .bytes
    case .enum: self = .enumeration(field.enumType)
    case .message: self = .message(field.messageType)
    case .group: throw GenerationError("\(field.fullName): groups are not supported")
    }
  }

  var isMessage: Bool {
    if case .message = self { true } else { false }
  }

  var swiftType: String {
    switch self {
    case .number(let type), .float(let type): type
    case .bool: "Bool"
    case .string: "String"
    case .bytes: "[UInt8]"
    case .enumeration(let type): Names.fullType(type)
    case .message(let type): Names.fullType(type)
    }
  }

  /// The value of a field that is not set.
  var defaultValue: String {
    switch self {
    case .number, .float: "0"
    case .bool: "false"
    case .string: "\"\""
    case .bytes: "[]"
    case .enumeration(let type): ".\(EnumWriter.caseName(type.values[0]))"
    case .message: "nil"
    }
  }

  /// Swift from a C value that is set.
  func decoded(_ c: String) -> String {
    switch self {
    case .number: c
    case .float(let type): "\(type)(bitPattern: \(c))"
    case .bool: "\(c) != 0"
    case .string: "decodedString(\(c).data, \(c).len)"
    case .bytes: "decodedBytes(\(c).data, \(c).len)"
    case .enumeration: "\(swiftType)(rawValue: \(c))"
    case .message: "\(c).map { \(swiftType)(cMessage: $0) } ?? \(swiftType)()"
    }
  }

  /// Whether a value without presence is written: it is not the default.
  func isSet(_ value: String) -> String {
    switch self {
    case .number: "\(value) != 0"
    // By its bits: a negative zero is written.
    case .float: "\(value).bitPattern != 0"
    case .bool: value
    case .string, .bytes: "!\(value).isEmpty"
    case .enumeration: "\(value).rawValue != 0"
    case .message: "true"
    }
  }
}

extension FieldDescriptor {
  /// Number and wire type, as one number.
  var tag: UInt32 {
    let wireType: UInt32 =
      switch type {
      case .double, .fixed64, .sfixed64: 1
      case .float, .fixed32, .sfixed32: 5
      case .string, .bytes, .message, .group: 2
      default: 0
      }
    return UInt32(number) << 3 | wireType
  }

  /// The tag of a list whose numbers are in one value.
  var packedTag: UInt32 { UInt32(number) << 3 | 2 }

  /// A statement that writes one value, without its tag.
  func write(_ value: String) -> String {
    switch type {
    case .double, .float: "w.\(type == .double ? "fixed64" : "fixed32")(\(value).bitPattern)"
    case .int32: "w.int32(\(value))"
    case .int64: "w.int64(\(value))"
    case .uint32: "w.uint32(\(value))"
    case .uint64: "w.uint64(\(value))"
    case .sint32: "w.sint32(\(value))"
    case .sint64: "w.sint64(\(value))"
    case .fixed32: "w.fixed32(\(value))"
    case .fixed64: "w.fixed64(\(value))"
    case .sfixed32: "w.fixed32(UInt32(bitPattern: \(value)))"
    case .sfixed64: "w.fixed64(UInt64(bitPattern: \(value)))"
    case .bool: "w.bool(\(value))"
    case .string: "w.string(\(value))"
    case .bytes: "w.bytes(\(value))"
    case .enum: "w.int32(\(value).rawValue)"
    case .message, .group: "\(value).write(to: &w)"
    }
  }
}

/// Key and value of a map.
struct MapEntry {
  let message: Descriptor
  let key: ValueKind
  let value: ValueKind
  let keyField: FieldDescriptor
  let valueField: FieldDescriptor
}

/// A field with its names.
struct FieldModel {
  let field: FieldDescriptor
  let kind: ValueKind
  /// The property, in backticks when it is a keyword.
  let swift: String
  /// The property inside the message's own methods, whose locals may have its name.
  var own: String { "self.\(swift)" }
  /// The member of the C struct.
  let c: String
  /// Key and value of a map.
  let entry: MapEntry?
  /// The type contains itself by this field, so the value lies in a box.
  let isBoxed: Bool

  init(_ field: FieldDescriptor) throws {
    self.field = field
    kind = try ValueKind(field)
    let isMember = field.realContainingOneof != nil
    let name = Names.property(field.name)
    // A oneof is an Optional, whose own cases are these.
    swift = isMember && ["none", "some"].contains(name) ? name + "_" : name
    c = CNames.field(field.name)
    if field.isMap, let (key, value) = field.messageType.mapKeyAndValue {
      entry = MapEntry(
        message: field.messageType,
        key: try ValueKind(key),
        value: try ValueKind(value),
        keyField: key,
        valueField: value
      )
    } else {
      entry = nil
    }
    isBoxed = field.isInCycle
  }

  /// A scalar with the keyword `optional`.
  var isOptionalScalar: Bool {
    !kind.isMessage && field.hasPresence && field.realContainingOneof == nil && !field.isRepeated
  }

  var swiftType: String {
    if let entry { return "[\(entry.key.swiftType): \(entry.value.swiftType)]" }
    if field.isRepeated { return "[\(kind.swiftType)]" }
    if kind.isMessage { return kind.swiftType + "?" }
    return isOptionalScalar ? kind.swiftType + "?" : kind.swiftType
  }

  var defaultValue: String {
    if entry != nil { return "[:]" }
    if field.isRepeated { return "[]" }
    return isOptionalScalar ? "nil" : kind.defaultValue
  }
}

extension FieldDescriptor {
  /// The containing type reaches itself through this field without a list or a map between.
  fileprivate var isInCycle: Bool {
    guard !isRepeated, let start = messageType, let container = containingType else { return false }
    var pending = [start]
    var seen: Set<String> = []
    while let message = pending.popLast() {
      if message.fullName == container.fullName { return true }
      guard seen.insert(message.fullName).inserted else { continue }
      pending += message.fields.filter { !$0.isRepeated }.compactMap { $0.messageType }
    }
    return false
  }
}
