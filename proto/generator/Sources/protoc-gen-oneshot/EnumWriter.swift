internal import SwiftProtobufPluginLibrary

/// Writes one enum of the schema.
struct EnumWriter {
  private let type: EnumDescriptor

  init(_ type: EnumDescriptor) {
    self.type = type
  }

  /// `JOB_STATE_PENDING` → `pending`.
  static func caseName(_ value: EnumValueDescriptor) -> String {
    let short = Names.withoutPrefix(value.name, of: value.enumType.name)
    return Names.enumCase(Names.lowerCamel(short.lowercased()))
  }

  /// The first value with the same number, when it is another one.
  private func original(of value: EnumValueDescriptor) -> EnumValueDescriptor? {
    type.values.first { $0.number == value.number && $0.index < value.index }
  }

  func write(to text: inout TextBuilder) {
    let canonical = type.values.filter { original(of: $0) == nil }
    text.line()
    text.comment(type, or: "The enum `\(type.fullName)`.")
    text.block("package enum \(Names.type(type.name)): ProtobufEnum") { text in
      for value in canonical {
        text.comment(value, or: "`\(value.name)`, \(value.number).")
        text.line("case \(Self.caseName(value))")
      }
      text.line("/// A number that this version of the schema does not know.")
      text.line("case unrecognized(Int32)")
      for value in type.values {
        guard let original = original(of: value) else { continue }
        text.line()
        text.comment(value, or: "Another name of `\(original.name)`.")
        text.line("package static let \(Self.caseName(value)) = Self.\(Self.caseName(original))")
      }
      writeNumbers(canonical, to: &text)
      writeInfo(to: &text)
    }
  }

  private func writeNumbers(_ values: [EnumValueDescriptor], to text: inout TextBuilder) {
    text.line()
    text.block("package init(rawValue: Int32)") { text in
      text.line("switch rawValue {")
      for value in values {
        text.line("case \(value.number): self = .\(Self.caseName(value))")
      }
      text.line("default: self = .unrecognized(rawValue)")
      text.line("}")
    }
    text.line()
    text.block("package var rawValue: Int32") { text in
      text.line("switch self {")
      for value in values {
        text.line("case .\(Self.caseName(value)): \(value.number)")
      }
      text.line("case .unrecognized(let number): number")
      text.line("}")
    }
  }

  private func writeInfo(to text: inout TextBuilder) {
    text.line()
    text.line("package static let info: EnumInfo = EnumInfo(")
    text.indented { text in
      text.line("\"\(type.fullName)\",")
      text.line("[")
      text.indented { text in
        for value in type.values {
          let short = Names.withoutPrefix(value.name, of: type.name).lowercased()
          text.line("EnumInfo.Value(\(value.number), \"\(value.name)\", \"\(short)\"),")
        }
      }
      text.line("]")
    }
    text.line(")")
  }
}
