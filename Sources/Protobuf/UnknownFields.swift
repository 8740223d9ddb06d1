internal import CProtobufC

/// Fields of the wire that the schema does not know, as they came: tag and value, in order.
package struct UnknownFields: Sendable, Hashable {
  /// The wire bytes of the fields; empty almost always.
  package var bytes: [UInt8] = []

  /// No unknown fields.
  package init() {}

  /// Takes the unknown fields of an unpacked C struct.
  package init(of cMessage: UnsafeRawPointer) {
    if UnknownFields.count(in: cMessage) != 0 { self = UnknownFields(copying: cMessage) }
  }

  static func count(in cMessage: UnsafeRawPointer) -> Int {
    Int(cMessage.assumingMemoryBound(to: ProtobufCMessage.self).pointee.n_unknown_fields)
  }

  init(copying cMessage: UnsafeRawPointer) {
    let base = cMessage.assumingMemoryBound(to: ProtobufCMessage.self).pointee
    for index in 0..<Int(base.n_unknown_fields) {
      let field = base.unknown_fields[index]
      appendVarint(UInt64(field.tag) << 3 | UInt64(field.wire_type.rawValue))
      bytes.append(contentsOf: UnsafeBufferPointer(start: field.data, count: field.len))
    }
  }

  /// Hands the fields to a C struct, so that packing writes them.
  package func store(in cMessage: UnsafeMutableRawPointer, arena: borrowing Arena) {
    if !bytes.isEmpty { storeFields(in: cMessage, arena: arena) }
  }

  func storeFields(in cMessage: UnsafeMutableRawPointer, arena: borrowing Arena) {
    let (copy, count) = arena.copy(bytes)
    guard let copy else { return }
    let fields = arena.allocate(ProtobufCMessageUnknownField.self, count: count / 2 + 1)
    var reader = WireReader(UnsafeRawBufferPointer(start: copy, count: count))
    var found = 0
    while let tag = try? reader.readTag() {
      let start = reader.position
      guard (try? reader.skip(tag, depth: 1)) != nil else { break }
      fields[found] = ProtobufCMessageUnknownField(
        tag: UInt32(tag.number),
        wire_type: ProtobufCWireType(rawValue: UInt32(tag.wireType)),
        len: reader.position - start,
        data: copy + start
      )
      found += 1
    }
    let base = cMessage.assumingMemoryBound(to: ProtobufCMessage.self)
    base.pointee.n_unknown_fields = UInt32(found)
    base.pointee.unknown_fields = fields
  }

  private mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
