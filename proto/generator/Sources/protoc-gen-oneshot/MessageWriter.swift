internal import SwiftProtobufPluginLibrary

/// Writes one message: the value type, its tables, and the ways from and to the C struct.
struct MessageWriter {
  let message: Descriptor
  let fields: [FieldModel]
  var typeName: String { Names.fullType(message) }
  var cType: String { CNames.structure(message.fullName) }

  init(_ message: Descriptor) throws {
    self.message = message
    fields = try message.fields.sorted { $0.number < $1.number }.map(FieldModel.init)
  }

  /// Fields that are properties; members of oneofs are cases of an enum.
  var plainFields: [FieldModel] { fields.filter { $0.field.realContainingOneof == nil } }

  func members(of oneof: OneofDescriptor) -> [FieldModel] {
    fields.filter { $0.field.realContainingOneof?.name == oneof.name }
  }

  /// The type itself with everything inside it.
  func writeType(to text: inout TextBuilder) throws {
    text.line()
    text.comment(message, or: "The message `\(message.fullName)`.")
    try text.block("package struct \(Names.type(message.name)): ProtobufMessage") { text in
      for field in plainFields { writeProperty(field, to: &text) }
      for oneof in message.realOneofs {
        text.comment(oneof, or: "At most one of the oneof's members.")
        text.line("package var \(Names.property(oneof.name)): \(oneofType(oneof))?")
      }
      text.line("package var unknownFields = UnknownFields()")
      writeInitializers(to: &text)
      for oneof in message.realOneofs { writeOneof(oneof, to: &text) }
      for enumeration in message.enums { EnumWriter(enumeration).write(to: &text) }
      for nested in message.messages where !nested.options.mapEntry {
        try MessageWriter(nested).writeType(to: &text)
      }
    }
  }

  private func writeProperty(_ field: FieldModel, to text: inout TextBuilder) {
    guard field.isBoxed else {
      text.comment(field.field, or: "`\(field.field.name)`")
      let value = field.defaultValue == "nil" ? "" : " = \(field.defaultValue)"
      text.line("package var \(field.swift): \(field.swiftType)\(value)")
      return
    }
    let box = "boxed" + Names.upperCamel(field.field.name)
    text.line("private var \(box): ProtobufBox<\(field.kind.swiftType)>?")
    text.comment(field.field, or: "`\(field.field.name)`")
    text.block("package var \(field.swift): \(field.swiftType)") { text in
      text.line("get { \(box)?.value }")
      text.line("set { \(box) = newValue.map(ProtobufBox.init) }")
    }
  }

  /// The enum of a oneof; a nested type of the same name gives it a suffix.
  func oneofType(_ oneof: OneofDescriptor) -> String {
    let name = Names.upperCamel(oneof.name)
    let isTaken = (message.messages.map(\.name) + message.enums.map(\.name)).contains(name)
    return isTaken ? name + "Oneof" : name
  }

  private func writeInitializers(to text: inout TextBuilder) {
    text.line()
    text.line("/// A message with every field at its default.")
    text.line("package init() {}")
    var parameters = plainFields.map { field in
      (field.swift, field.swiftType, field.defaultValue)
    }
    for oneof in message.realOneofs {
      parameters.append((Names.property(oneof.name), oneofType(oneof) + "?", "nil"))
    }
    guard !parameters.isEmpty else { return }
    text.line()
    text.line("/// A message with these fields; the others keep their defaults.")
    text.line("package init(")
    text.indented { text in
      for (index, (name, type, value)) in parameters.enumerated() {
        text.line("\(name): \(type) = \(value)" + (index + 1 < parameters.count ? "," : ""))
      }
    }
    text.block(")") { text in
      for (name, _, _) in parameters { text.line("self.\(bare(name)) = \(name)") }
    }
  }

  private func bare(_ name: String) -> String { name.filter { $0 != "`" } }

  private func writeOneof(_ oneof: OneofDescriptor, to text: inout TextBuilder) {
    let members = members(of: oneof)
    let isIndirect = members.contains(where: \.isBoxed)
    text.line()
    text.comment(oneof, or: "The members of the oneof `\(oneof.name)`.")
    let keyword = isIndirect ? "indirect enum" : "enum"
    text.block("package \(keyword) \(oneofType(oneof)): Sendable, Hashable") { text in
      for member in members {
        text.comment(member.field, or: "`\(member.field.name)`")
        text.line("case \(member.swift)(\(member.kind.swiftType))")
      }
    }
  }
}
