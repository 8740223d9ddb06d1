package import Protobuf

/// The JSON side of one field, prepared once: quoted names, the child's place in the schema.
package final class FieldPlan: Sendable {
  /// How a value lies in the C struct and which scalar rules it follows.
  enum Storage: Sendable {
    case double, float, int64, uint64, int32, uint32, bool, string, bytes, enumeration, message

    /// Bytes of one value in a C struct or array.
    var stride: Int {
      switch self {
      case .double, .int64, .uint64, .message: 8
      case .float, .int32, .uint32, .bool, .enumeration: 4
      case .string, .bytes: 16
      }
    }
  }

  /// The schema's facts about the field.
  package let info: FieldInfo
  /// Position in the message's list of fields.
  let index: Int
  /// Index of the message type (for a map, of its entry) in ``JSONSchema/messages``; -1 for scalars.
  let child: Int
  let storage: Storage
  let cardinality: FieldInfo.Cardinality
  let offset: Int
  /// -1 without a quantifier.
  let quantifierOffset: Int
  /// The name in the public form with quotes and colon.
  let edgeKey: [UInt8]
  /// The name in the standard form with quotes and colon.
  let protoKey: [UInt8]
  let enumeration: EnumPlan?

  init(_ info: FieldInfo, index: Int, child: Int) {
    self.info = info
    self.index = index
    self.child = child
    cardinality = info.cardinality
    offset = info.offset
    quantifierOffset = info.quantifierOffset ?? -1
    edgeKey = Array("\"\(info.name)\":".utf8)
    protoKey = Array("\"\(info.jsonName)\":".utf8)
    enumeration = info.enumeration.map(EnumPlan.init)
    storage =
      switch info.kind {
      case .double: .double
      case .float: .float
      case .int64, .sint64, .sfixed64: .int64
      case .uint64, .fixed64: .uint64
      case .int32, .sint32, .sfixed32: .int32
      case .uint32, .fixed32: .uint32
      case .bool: .bool
      case .string: .string
      case .bytes: .bytes
      case .enumeration: .enumeration
      case .message: .message
      }
  }
}

/// The JSON side of an enum.
final class EnumPlan: Sendable {
  let fullName: String
  private let numbers: [Int32]
  private let names: NameTable
  private let quoted: [Int32: (edge: [UInt8], proto: [UInt8])]

  init(_ info: EnumInfo) {
    fullName = info.fullName
    numbers = info.values.map(\.number)
    // A full name wins over another value's short name.
    let full = info.values.enumerated().map { (name: $1.fullName, value: $0) }
    let short = info.values.enumerated().map { (name: $1.shortName, value: $0) }
    names = NameTable(full + short, ignoringCase: true)
    var quoted: [Int32: (edge: [UInt8], proto: [UInt8])] = [:]
    for value in info.values where quoted[value.number] == nil {
      quoted[value.number] = (
        Array("\"\(value.shortName)\"".utf8), Array("\"\(value.fullName)\"".utf8)
      )
    }
    self.quoted = quoted
  }

  /// The number of a full or short name in any case.
  func number(of name: UnsafeBufferPointer<UInt8>) -> Int32? {
    names.find(name).map { numbers[$0] }
  }

  /// The quoted name of a number; nil when the schema does not declare it.
  func name(of number: Int32, _ style: JSONStyle) -> [UInt8]? {
    switch style {
    case .edge: quoted[number]?.edge
    case .proto: quoted[number]?.proto
    }
  }
}
