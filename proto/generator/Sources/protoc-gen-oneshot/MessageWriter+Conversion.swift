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
      text.line("let arena = Arena()")
      text.line("return arena.pack(stored(self, arena), reserving: prefix)")
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
      text.line("unknownFields = UnknownFields(of: raw)")
    }
  }

  private func writeDecoding(of field: FieldModel, to text: inout TextBuilder) {
    let c = "c.pointee.\(field.c)"
    if let entry = field.entry {
      text.block("\(field.swift) = decodedMap(c.pointee.n_\(field.c))") { text in
        text.line("guard let entry = \(c)[$0] else { return nil }")
        text.line("let key = \(entry.key.decoded("entry.pointee.key"))")
        text.line("let value = \(entry.value.decoded("entry.pointee.value"))")
        text.line("return (key, value)")
      }
    } else if field.field.isRepeated {
      let element = field.kind.decoded("\(c)[$0]")
      text.line("\(field.swift) = decodedList(c.pointee.n_\(field.c)) { \(element) }")
    } else if case .message(let type) = field.kind {
      text.line("if let member = \(c) {")
      text.line("  \(field.swift) = \(Names.fullType(type))(cMessage: member)")
      text.line("}")
    } else if field.isOptionalScalar {
      text.line("if c.pointee.\(caseMember(field)).rawValue == \(field.field.number) {")
      text.line("  \(field.swift) = \(field.kind.decoded(c))")
      text.line("}")
    } else {
      text.line("\(field.swift) = \(field.kind.decoded(c))")
    }
  }

  private func writeDecoding(of oneof: OneofDescriptor, to text: inout TextBuilder) {
    let property = Names.property(oneof.name)
    text.line("switch c.pointee.\(oneof.name.lowercased())_case.rawValue {")
    for member in members(of: oneof) {
      text.line(
        "case \(member.field.number): \(property) = "
          + ".\(member.swift)(\(member.kind.decoded("c.pointee.\(member.c)")))"
      )
    }
    text.line("default: \(property) = nil")
    text.line("}")
  }

  /// The member that says whether an `optional` scalar is set.
  private func caseMember(_ field: FieldModel) -> String {
    (field.field.containingOneof?.name.lowercased() ?? "") + "_case"
  }

  // MARK: To C

  private func writeEncoding(to text: inout TextBuilder) {
    text.line("package func store(in raw: UnsafeMutableRawPointer, arena: borrowing Arena) {")
    text.indented { text in
      if !fields.isEmpty {
        text.line("let c = raw.assumingMemoryBound(to: \(cType).self)")
      }
      for field in plainFields { writeEncoding(of: field, to: &text) }
      for oneof in message.realOneofs { writeEncoding(of: oneof, to: &text) }
      text.line("unknownFields.store(in: raw, arena: arena)")
    }
    text.line("}")
  }

  private func writeEncoding(of field: FieldModel, to text: inout TextBuilder) {
    let c = "c.pointee.\(field.c)"
    if field.entry != nil {
      writeMapEncoding(of: field, to: &text)
    } else if field.field.isRepeated {
      text.line("c.pointee.n_\(field.c) = \(field.swift).count")
      text.lines("\(c) = \(field.kind.list(field.swift))")
    } else if field.field.hasPresence {
      text.block("if let member = \(field.swift)") { text in
        if field.isOptionalScalar {
          text.line("c.pointee.\(caseMember(field)) = .init(rawValue: \(field.field.number))")
        }
        text.line(field.kind.assignment(c, "member"))
      }
    } else {
      text.line(field.kind.assignment(c, field.swift))
    }
  }

  private func writeMapEncoding(of field: FieldModel, to text: inout TextBuilder) {
    guard let entry = field.entry else { return }
    let cEntry = CNames.structure(entry.message.fullName)
    text.line("c.pointee.n_\(field.c) = \(field.swift).count")
    text.block("c.pointee.\(field.c) = copiedList(\(field.swift), arena)") { text in
      text.line("let entry = arena.allocateMessage(Self.\(entryInfo(entry.message)))")
      text.line("  .assumingMemoryBound(to: \(cEntry).self)")
      text.line("entry.pointee._key_case = .init(rawValue: 1)")
      text.line(entry.key.assignment("entry.pointee.key", "$0.key"))
      if !entry.value.isMessage { text.line("entry.pointee._value_case = .init(rawValue: 2)") }
      text.line(entry.value.assignment("entry.pointee.value", "$0.value"))
      text.line("return entry")
    }
  }

  private func writeEncoding(of oneof: OneofDescriptor, to text: inout TextBuilder) {
    text.line("switch \(Names.property(oneof.name)) {")
    for member in members(of: oneof) {
      text.line("case .\(member.swift)(let member):")
      text.indented { text in
        text.line(
          "c.pointee.\(oneof.name.lowercased())_case = .init(rawValue: \(member.field.number))"
        )
        text.line(member.kind.assignment("c.pointee.\(member.c)", "member"))
      }
    }
    text.line("case nil: break")
    text.line("}")
  }
}
