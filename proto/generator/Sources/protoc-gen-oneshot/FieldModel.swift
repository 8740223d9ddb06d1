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

  /// A statement that puts a Swift value into a C place.
  func assignment(_ c: String, _ value: String) -> String {
    switch self {
    case .number: "\(c) = \(value)"
    case .float: "\(c) = \(value).bitPattern"
    case .bool: "\(c) = \(value) ? 1 : 0"
    case .string, .bytes: "(\(c).data, \(c).len) = arena.copy(\(value))"
    case .enumeration: "\(c) = \(value).rawValue"
    case .message(let type):
      "\(c) = stored(\(value), arena).assumingMemoryBound(to: \(CNames.structure(type.fullName)).self)"
    }
  }

  /// The C list of a Swift list.
  func list(_ value: String) -> String {
    switch self {
    case .number: "copiedNumbers(\(value), arena)"
    case .float: "copiedList(\(value), arena) { $0.bitPattern }"
    case .bool: "copiedList(\(value), arena) { $0 ? 1 : 0 }"
    case .enumeration: "copiedList(\(value), arena) { $0.rawValue }"
    case .string, .bytes:
      """
      copiedList(\(value), arena) {
        let (data, count) = arena.copy($0)
        return ProtobufCBinaryData(len: count, data: data)
      }
      """
    case .message(let type):
      """
      copiedList(\(value), arena) {
        stored($0, arena).assumingMemoryBound(to: \(CNames.structure(type.fullName)).self)
      }
      """
    }
  }
}

/// A field with its names.
struct FieldModel {
  let field: FieldDescriptor
  let kind: ValueKind
  /// The property, in backticks when it is a keyword.
  let swift: String
  /// The member of the C struct.
  let c: String
  /// Key and value of a map.
  let entry: (message: Descriptor, key: ValueKind, value: ValueKind)?
  /// The type contains itself by this field, so the value lies in a box.
  let isBoxed: Bool

  init(_ field: FieldDescriptor) throws {
    self.field = field
    kind = try ValueKind(field)
    swift = Names.property(field.name)
    c = CNames.field(field.name)
    if field.isMap, let (key, value) = field.messageType.mapKeyAndValue {
      entry = (field.messageType, try ValueKind(key), try ValueKind(value))
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
