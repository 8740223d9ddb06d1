/// A generated enum: a case for each declared value, and one for all other numbers.
package protocol ProtobufEnum: Sendable, Hashable {
  /// The case of a number; `.unrecognized` when the schema does not declare it.
  init(rawValue: Int32)
  /// The number on the wire.
  var rawValue: Int32 { get }
  /// Names and numbers.
  static var info: EnumInfo { get }
}

extension ProtobufEnum {
  /// The lower-case name without prefix, as edge JSON prints it; the number when it has none.
  package var shortName: String {
    Self.info.value(number: rawValue)?.shortName ?? String(rawValue)
  }

  /// The value of a full or short name in any case.
  package init?(named name: String) {
    guard let value = Self.info.value(anyName: name) else { return nil }
    self.init(rawValue: value.number)
  }
}

/// Holds a message that contains itself.
package final class ProtobufBox<Value: ProtobufMessage>: Sendable, Hashable {
  /// The message; a change makes a new box.
  package let value: Value

  /// A box around a message.
  package init(_ value: Value) {
    self.value = value
  }

  package static func == (a: ProtobufBox, b: ProtobufBox) -> Bool { a.value == b.value }

  package func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
