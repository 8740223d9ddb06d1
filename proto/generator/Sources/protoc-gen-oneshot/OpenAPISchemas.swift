internal import SwiftProtobuf
internal import SwiftProtobufPluginLibrary

/// JSON schemas of messages as the edge prints them, collected as they are referred to.
struct OpenAPISchemas {
  private var pending: [Descriptor] = []
  private var found: [String: JSONText] = [:]

  /// Every schema that was referred to, by name.
  mutating func components() -> [(String, JSONText)] {
    while let message = pending.popLast() {
      let schema = object(message, without: [])
      found[Self.name(message)] = schema
    }
    return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// `oneshot.jobs.v1.CreateJobRequest` → `Jobs.CreateJobRequest`.
  static func name(_ message: Descriptor) -> String { Names.fullType(message) }

  /// A reference to a message's schema, or the schema itself for the well-known types.
  mutating func reference(_ message: Descriptor) -> JSONText {
    if let special = Self.wellKnown(message) { return special }
    let name = Self.name(message)
    if found[name] == nil {
      found[name] = [:]
      pending.append(message)
    }
    return ["$ref": .string("#/components/schemas/\(name)")]
  }

  /// A message's schema written out, without some of its fields.
  mutating func object(_ message: Descriptor, without excluded: Set<String>) -> JSONText {
    var properties: [(String, JSONText)] = []
    for field in message.fields where !excluded.contains(field.name) {
      properties.append((field.name, self.property(field)))
    }
    var members: [(String, JSONText)] = [("type", "object")]
    let comment = message.plainComment
    if !comment.isEmpty {
      members.append(("description", .string(comment.joined(separator: "\n"))))
    }
    members.append(("properties", .object(properties)))
    members.append(("additionalProperties", .bool(false)))
    return .object(members)
  }

  /// A field's schema with its comment.
  mutating func property(_ field: FieldDescriptor) -> JSONText {
    let options = field.options.Oneshot_Options_V1_field
    var schema = value(field)
    if options.nullWhenUnset { schema = ["anyOf": [schema, ["type": "null"]]] }
    var lines = field.plainComment
    if !options.aliases.isEmpty {
      lines.append("Also accepted as: \(options.aliases.joined(separator: ", ")).")
    }
    if options.ignoredInput { lines.append("Ignored on input.") }
    guard !lines.isEmpty, case .object(var members) = schema else { return schema }
    members.append(("description", .string(lines.joined(separator: "\n"))))
    return .object(members)
  }

  /// A field's schema.
  mutating func value(_ field: FieldDescriptor) -> JSONText {
    if field.isMap, let (_, value) = field.messageType.mapKeyAndValue {
      return ["type": "object", "additionalProperties": element(value)]
    }
    guard field.isRepeated else { return element(field) }
    return ["type": "array", "items": element(field)]
  }

  private mutating func element(_ field: FieldDescriptor) -> JSONText {
    switch field.type {
    case .double, .float: return ["type": "number"]
    case .int32, .sint32, .sfixed32: return ["type": "integer", "format": "int32"]
    case .int64, .sint64, .sfixed64: return ["type": "integer", "format": "int64"]
    case .uint32, .fixed32, .uint64, .fixed64:
      return ["type": "integer", "minimum": .integer(0)]
    case .bool: return ["type": "boolean"]
    case .string: return ["type": "string"]
    case .bytes: return ["type": "string", "contentEncoding": "base64"]
    case .enum:
      let values = field.enumType.values.filter {
        $0.number != 0 || !$0.name.hasSuffix("SPECIFIED")
      }
      let names = values.map {
        JSONText.string(Names.withoutPrefix($0.name, of: field.enumType.name).lowercased())
      }
      return ["type": "string", "enum": .array(names)]
    case .message, .group: return reference(field.messageType)
    }
  }

  private static func wellKnown(_ message: Descriptor) -> JSONText? {
    guard message.file.package == "google.protobuf" else { return nil }
    switch message.name {
    case "Timestamp": return ["type": "string", "format": "date-time"]
    case "Duration": return ["type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$"]
    case "FieldMask": return ["type": "string"]
    case "Struct", "Any": return ["type": "object"]
    case "Empty": return ["type": "object", "additionalProperties": .bool(false)]
    case "ListValue": return ["type": "array", "items": [:]]
    case "Value": return [:]
    case "BoolValue": return ["type": "boolean"]
    case "StringValue", "BytesValue": return ["type": "string"]
    case "DoubleValue", "FloatValue": return ["type": "number"]
    default: return message.name.hasSuffix("Value") ? ["type": "integer"] : nil
    }
  }
}
