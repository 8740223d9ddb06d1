/// What the schema says about one field, beyond what protobuf-c's descriptor keeps.
///
/// The generator writes these; ``MessageInfo`` adds the place of the field in the C struct.
package struct FieldInfo: Sendable {
  /// The scalar or composite type of a field, with the numbers of `FieldDescriptorProto.Type`.
  package enum Kind: UInt8, Sendable {
    case double = 1
    case float = 2
    case int64 = 3
    case uint64 = 4
    case int32 = 5
    case fixed64 = 6
    case fixed32 = 7
    case bool = 8
    case string = 9
    case message = 11
    case bytes = 12
    case uint32 = 13
    case enumeration = 14
    case sfixed32 = 15
    case sfixed64 = 16
    case sint32 = 17
    case sint64 = 18
  }

  /// How many values a field holds, and whether "not set" differs from the default.
  package enum Cardinality: UInt8, Sendable {
    /// A scalar whose default means "not set".
    case implicit
    /// A message, an `optional` scalar or a member of a oneof: set or not set.
    case explicit
    /// A list.
    case repeated
    /// A map; `message` is its entry with the fields `key` (1) and `value` (2).
    case map
  }

  /// The type that the field refers to, found when it is first needed.
  ///
  /// Messages refer to each other in circles, so a table holds a way to the next table.
  package enum Reference: Sendable {
    case none
    case message(@Sendable () -> MessageInfo)
    case enumeration(@Sendable () -> EnumInfo)
  }

  /// The name in the `.proto` file, `input_url`.
  package let name: String
  /// The lowerCamelCase name or the `json_name` option, `inputUrl`.
  package let jsonName: String
  package let number: Int32
  package let kind: Kind
  package let cardinality: Cardinality
  /// Index in ``MessageInfo/oneofs``; nil outside oneofs (an `optional` field is outside).
  package let oneofIndex: Int?
  /// Other names that edge JSON input may use (`oneshot.options.v1.field`).
  package let aliases: [String]
  /// Edge JSON input may carry the field; it is dropped and logged.
  package let ignoredInput: Bool
  /// The value must not appear in logs.
  package let secret: Bool
  /// Edge JSON output prints null for the field when it is not set, instead of leaving it out.
  package let nullWhenUnset: Bool
  private let reference: Reference

  /// Bytes from the start of the C struct to the value.
  ///
  /// A value is: the scalar (bool is a C `int`, an enum an `Int32`, a float its bits); for strings
  /// and bytes a `ProtobufCBinaryData` (the generator lowers strings to bytes, so a NUL survives);
  /// for a message a pointer, NULL when not set. Lists and maps hold a pointer to an array of those.
  package internal(set) var offset = 0

  /// Bytes from the start of the C struct to the count (`Int`, lists and maps) or to the case.
  ///
  /// The case (`UInt32`) of oneof members and of `optional` scalars equals ``number`` when the field
  /// is set; key and value of a map's entry have one, too. Nil for singular messages outside oneofs and
  /// for other fields without presence.
  package internal(set) var quantifierOffset: Int?

  package init(
    _ number: Int32,
    _ name: String,
    json jsonName: String,
    _ kind: Kind,
    _ cardinality: Cardinality = .implicit,
    oneof oneofIndex: Int? = nil,
    to reference: Reference = .none,
    aliases: [String] = [],
    ignoredInput: Bool = false,
    secret: Bool = false,
    nullWhenUnset: Bool = false
  ) {
    self.number = number
    self.name = name
    self.jsonName = jsonName
    self.kind = kind
    self.cardinality = cardinality
    self.oneofIndex = oneofIndex
    self.reference = reference
    self.aliases = aliases
    self.ignoredInput = ignoredInput
    self.secret = secret
    self.nullWhenUnset = nullWhenUnset
  }

  /// The field is a map; ``message`` describes its entries.
  package var isMap: Bool { cardinality == .map }
  /// The field is a list; false for maps.
  package var isRepeated: Bool { cardinality == .repeated }
  /// "Not set" differs from the default: messages, `optional`, members of oneofs.
  package var hasPresence: Bool { cardinality == .explicit }

  /// The message type of the field, for maps that of the entries.
  package var message: MessageInfo? {
    if case .message(let info) = reference { info() } else { nil }
  }

  /// The enum type of the field.
  package var enumeration: EnumInfo? {
    if case .enumeration(let info) = reference { info() } else { nil }
  }
}
