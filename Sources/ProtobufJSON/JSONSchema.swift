package import Protobuf

/// How messages are printed; input accepts both forms.
package enum JSONStyle: Sendable {
  /// The public API's: snake_case names, scalars and lists always, 64-bit integers as numbers, enums
  /// in lower case without prefix.
  case edge
  /// The standard mapping of Protocol Buffers.
  case proto
}

/// The JSON side of all messages that can be reached from some roots.
///
/// Built once at start. Plans refer to each other by index, so that recursive messages need neither
/// locks nor weak references.
package final class JSONSchema: Sendable {
  let messages: [MessagePlan]
  private let indexByName: [String: Int]

  /// Prepares `roots`, everything that they refer to, and the well-known types.
  ///
  /// `google.protobuf.Any` is read and printed for these messages only.
  package init(roots: [MessageInfo]) {
    var order: [MessageInfo] = []
    var indexByName: [String: Int] = [:]
    var pending = Array(roots.reversed())
    while let info = pending.popLast() {
      guard indexByName[info.fullName] == nil else { continue }
      indexByName[info.fullName] = order.count
      order.append(info)
      pending.append(contentsOf: info.fields.compactMap(\.message))
    }
    messages = order.enumerated().map { index, info in
      let fields = info.fields.enumerated().map { position, field in
        FieldPlan(
          field,
          index: position,
          child: field.message.flatMap { indexByName[$0.fullName] } ?? -1
        )
      }
      return MessagePlan(info, index: index, fields: fields)
    }
    self.indexByName = indexByName
  }

  /// The plan of a message; nil if it was not reachable from the roots.
  package func plan(named fullName: String) -> MessagePlan? {
    indexByName[fullName].map { messages[$0] }
  }

  /// The plan of a message field's type.
  func child(of field: FieldPlan) -> MessagePlan { messages[field.child] }
}

/// The JSON side of one message.
package final class MessagePlan: Sendable {
  /// The schema's facts about the message.
  package let info: MessageInfo
  let index: Int
  /// In ascending order of number.
  package let fields: [FieldPlan]
  let wellKnown: WellKnownType?
  private let names: NameTable

  init(_ info: MessageInfo, index: Int, fields: [FieldPlan]) {
    self.info = info
    self.index = index
    self.fields = fields
    wellKnown = info.wellKnown
    // Earlier entries win: original names, then JSON names, then aliases.
    let original = fields.map { (name: $0.info.name, value: $0.index) }
    let json = fields.map { (name: $0.info.jsonName, value: $0.index) }
    let aliases = fields.flatMap { field in
      field.info.aliases.map { (name: $0, value: field.index) }
    }
    names = NameTable(original + json + aliases)
  }

  /// The field of an original name, JSON name or alias.
  package func field(_ name: UnsafeBufferPointer<UInt8>) -> FieldPlan? {
    names.find(name).map { fields[$0] }
  }

  /// The field of an original name, JSON name or alias.
  package func field(named name: String) -> FieldPlan? {
    var name = name
    return name.withUTF8 { field($0) }
  }
}
