internal import SwiftProtobuf
internal import SwiftProtobufPluginLibrary

extension MessageWriter {
  /// The static table of the message.
  func writeInfo(to text: inout TextBuilder) {
    writeInfo(
      of: message,
      fields.map(\.field),
      declaration: "package static let info: MessageInfo",
      to: &text
    )
  }

  func entryInfo(_ entry: Descriptor) -> String {
    Names.lowerCamel(CNames.lower(entry.name)) + "Info"
  }

  /// The table of a map's entries.
  func writeEntryInfo(_ entry: Descriptor, to text: inout TextBuilder) {
    let fields = entry.fields.sorted { $0.number < $1.number }
    writeInfo(
      of: entry,
      fields,
      declaration: "private static let \(entryInfo(entry)): MessageInfo",
      to: &text
    )
  }

  private func writeInfo(
    of message: Descriptor,
    _ fields: [FieldDescriptor],
    declaration: String,
    to text: inout TextBuilder
  ) {
    text.line("\(declaration) = MessageInfo(")
    text.indented { text in
      text.line("\"\(message.fullName)\",")
      text.line("descriptor: \(CNames.descriptorFunction(message.fullName))(),")
      if let wellKnown = wellKnown(message) { text.line("wellKnown: .\(wellKnown),") }
      if message.options.mapEntry { text.line("isMapEntry: true,") }
      if !message.realOneofs.isEmpty {
        let names = message.realOneofs.map { "\"\($0.name)\"" }.joined(separator: ", ")
        text.line("oneofs: [\(names)],")
      }
      text.line("fields: [")
      text.indented { text in
        for field in fields { text.line(entry(field) + ",") }
      }
      text.line("]")
    }
    text.line(")")
  }

  private func entry(_ field: FieldDescriptor) -> String {
    var parts = [
      "\(field.number)",
      "\"\(field.name)\"",
      "json: \"\(field.jsonName ?? Names.lowerCamel(field.name))\"",
      ".\(kind(field))",
    ]
    if let cardinality = cardinality(field) { parts.append(".\(cardinality)") }
    if let oneof = field.realContainingOneof { parts.append("oneof: \(oneof.index)") }
    if let reference = reference(field) { parts.append("to: \(reference)") }
    let options = field.options.Oneshot_Options_V1_field
    if !options.aliases.isEmpty {
      parts.append("aliases: [" + options.aliases.map { "\"\($0)\"" }.joined(separator: ", ") + "]")
    }
    if options.ignoredInput { parts.append("ignoredInput: true") }
    if options.secret { parts.append("secret: true") }
    if options.nullWhenUnset { parts.append("nullWhenUnset: true") }
    return "FieldInfo(" + parts.joined(separator: ", ") + ")"
  }

  private func reference(_ field: FieldDescriptor) -> String? {
    switch field.type {
    case .enum: ".enumeration { \(Names.fullType(field.enumType)).info }"
    case .message where field.isMap: ".message { Self.\(entryInfo(field.messageType)) }"
    case .message: ".message { \(Names.fullType(field.messageType)).info }"
    default: nil
    }
  }

  private func cardinality(_ field: FieldDescriptor) -> String? {
    if field.isMap { return "map" }
    if field.isRepeated { return "repeated" }
    return field.hasPresence ? "explicit" : nil
  }

  private func kind(_ field: FieldDescriptor) -> String {
    switch field.type {
    case .double: "double"
    case .float: "float"
    case .int64: "int64"
    case .uint64: "uint64"
    case .int32: "int32"
    case .fixed64: "fixed64"
    case .fixed32: "fixed32"
    case .bool: "bool"
    case .string: "string"
    case .group, .message: "message"
    case .bytes: "bytes"
    case .uint32: "uint32"
    case .enum: "enumeration"
    case .sfixed32: "sfixed32"
    case .sfixed64: "sfixed64"
    case .sint32: "sint32"
    case .sint64: "sint64"
    }
  }

  private func wellKnown(_ message: Descriptor) -> String? {
    guard message.file.package == "google.protobuf" else { return nil }
    switch message.name {
    case "Any": return "any"
    case "Duration": return "duration"
    case "Empty": return "empty"
    case "FieldMask": return "fieldMask"
    case "Struct": return "structure"
    case "Value": return "value"
    case "ListValue": return "listValue"
    case "Timestamp": return "timestamp"
    case let name: return name.hasSuffix("Value") ? "wrapper" : nil
    }
  }
}
