internal import SwiftProtobufPluginLibrary

extension MessageWriter {
  /// The extension with the tables and conversions, and those of nested messages.
  func writeExtension(to text: inout TextBuilder) throws {
    text.line()
    text.block("extension \(typeName)") { text in
      text.line("package static let fullName = \"\(message.fullName)\"")
      text.line()
      writeInfo(to: &text)
      for entry in fields.compactMap(\.entry) {
        text.line()
        writeEntryInfo(entry.message, to: &text)
      }
      text.line()
      writeDecoding(to: &text)
      text.line()
      writeEncoding(to: &text)
      text.line()
      writeEntryPoints(to: &text)
    }
    for nested in message.messages where !nested.options.mapEntry {
      try MessageWriter(nested).writeExtension(to: &text)
    }
  }

  /// Bytes to message and back, concrete so that nothing is generic on a call's path.
  private func writeEntryPoints(to text: inout TextBuilder) {
    for type in ["UnsafeRawBufferPointer", "[UInt8]"] {
      text.block("package init(decoding bytes: \(type)) throws(ProtobufError)") { text in
        text.line("let unpacked = try UnpackedMessage(Self.info, bytes)")
        text.line("self.init(cMessage: unpacked.cMessage)")
      }
      text.line()
    }
    text.block("package func encoded(reserving prefix: Int) -> [UInt8]") { text in
      text.line("var w = WireWriter()")
      text.line("self.write(to: &w)")
      text.line("return w.bytes(reserving: prefix)")
    }
    text.line()
    text.block("package func encode(appendingTo output: inout [UInt8])") { text in
      text.line("var w = WireWriter()")
      text.line("self.write(to: &w)")
      text.line("w.append(to: &output)")
    }
  }

  // MARK: From C

  private func writeDecoding(to text: inout TextBuilder) {
    text.block("package init(cMessage raw: UnsafeRawPointer)") { text in
      if !fields.isEmpty {
        text.line("let c = raw.assumingMemoryBound(to: \(cType).self)")
      }
      for field in plainFields { writeDecoding(of: field, to: &text) }
      for oneof in message.realOneofs { writeDecoding(of: oneof, to: &text) }
      text.line("self.unknownFields = UnknownFields(of: raw)")
    }
  }

  private func writeDecoding(of field: FieldModel, to text: inout TextBuilder) {
    let c = "c.pointee.\(field.c)"
    if let entry = field.entry {
      text.block("\(field.own) = decodedMap(c.pointee.n_\(field.c))") { text in
        text.line("guard let entry = \(c)[$0] else { return nil }")
        text.line("let key = \(entry.key.decoded("entry.pointee.key"))")
        text.line("let value = \(entry.value.decoded("entry.pointee.value"))")
        text.line("return (key, value)")
      }
    } else if field.field.isRepeated {
      let element = field.kind.decoded("\(c)[$0]")
      text.line("\(field.own) = decodedList(c.pointee.n_\(field.c)) { \(element) }")
    } else if case .message(let type) = field.kind {
      text.line("if let member = \(c) {")
      text.line("  \(field.own) = \(Names.fullType(type))(cMessage: member)")
      text.line("}")
    } else if field.isOptionalScalar {
      text.line("if c.pointee.\(caseMember(field)).rawValue == \(field.field.number) {")
      text.line("  \(field.own) = \(field.kind.decoded(c))")
      text.line("}")
    } else {
      text.line("\(field.own) = \(field.kind.decoded(c))")
    }
  }

  private func writeDecoding(of oneof: OneofDescriptor, to text: inout TextBuilder) {
    let property = Names.property(oneof.name)
    text.line("switch c.pointee.\(oneof.name.lowercased())_case.rawValue {")
    for member in members(of: oneof) {
      text.line(
        "case \(member.field.number): self.\(property) = "
          + ".\(member.swift)(\(member.kind.decoded("c.pointee.\(member.c)")))"
      )
    }
    text.line("default: self.\(property) = nil")
    text.line("}")
  }

  /// The member that says whether an `optional` scalar is set.
  private func caseMember(_ field: FieldModel) -> String {
    (field.field.containingOneof?.name.lowercased() ?? "") + "_case"
  }

  // MARK: To bytes

  /// From the last field to the first: the writer works backwards.
  private func writeEncoding(to text: inout TextBuilder) {
    text.block("package func write(to w: inout WireWriter)") { text in
      text.line("w.unknown(self.unknownFields)")
      // A oneof stands where its last member stands.
      var written: Set<String> = []
      for field in fields.reversed() {
        guard let oneof = field.field.realContainingOneof else {
          writeEncoding(of: field, to: &text)
          continue
        }
        if written.insert(oneof.name).inserted { writeEncoding(of: oneof, to: &text) }
      }
    }
  }

  private func writeEncoding(of field: FieldModel, to text: inout TextBuilder) {
    if let entry = field.entry {
      writeEncoding(ofMap: field, entry, to: &text)
    } else if field.field.isRepeated {
      writeEncoding(ofList: field, to: &text)
    } else if field.field.hasPresence {
      text.block("if let member = \(field.own)") { text in
        writeValue("member", field.field, to: &text)
      }
    } else {
      text.block("if \(field.kind.isSet(field.own))") { text in
        writeValue(field.own, field.field, to: &text)
      }
    }
  }

  /// One value with its tag.
  private func writeValue(
    _ value: String,
    _ field: FieldDescriptor,
    mark: String = "mark",
    to text: inout TextBuilder
  ) {
    if field.type == .message { text.line("let \(mark) = w.count") }
    text.line(field.write(value))
    if field.type == .message { text.line("w.length(since: \(mark))") }
    text.line("w.tag(\(field.tag))")
  }

  private func writeEncoding(ofList field: FieldModel, to text: inout TextBuilder) {
    let list = field.own
    if field.field.isPacked {
      text.block("if !\(list).isEmpty") { text in
        text.line("let mark = w.count")
        text.line("for element in \(list).reversed() { \(field.field.write("element")) }")
        text.line("w.length(since: mark)")
        text.line("w.tag(\(field.field.packedTag))")
      }
    } else {
      text.block("for element in \(list).reversed()") { text in
        writeValue("element", field.field, to: &text)
      }
    }
  }

  /// Key and value are written even at their defaults, as everywhere else.
  private func writeEncoding(
    ofMap field: FieldModel,
    _ entry: MapEntry,
    to text: inout TextBuilder
  ) {
    text.block("for (key, value) in \(field.own)") { text in
      text.line("let entry = w.count")
      writeValue("value", entry.valueField, to: &text)
      writeValue("key", entry.keyField, to: &text)
      text.line("w.length(since: entry)")
      text.line("w.tag(\(field.field.tag))")
    }
  }

  private func writeEncoding(of oneof: OneofDescriptor, to text: inout TextBuilder) {
    text.line("switch self.\(Names.property(oneof.name)) {")
    for member in members(of: oneof) {
      text.line("case .\(member.swift)(let member):")
      text.indented { text in writeValue("member", member.field, to: &text) }
    }
    text.line("case nil: break")
    text.line("}")
  }
}
