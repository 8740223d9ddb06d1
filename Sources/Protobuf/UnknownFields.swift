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
      if field.tag == UInt32(Self.wrapper), field.wire_type.rawValue == 2 {
        appendWrapped(UnsafeRawBufferPointer(start: field.data, count: field.len))
        continue
      }
      appendVarint(UInt64(field.tag) << 3 | UInt64(field.wire_type.rawValue))
      bytes.append(contentsOf: UnsafeBufferPointer(start: field.data, count: field.len))
    }
  }

  /// The number under which ``WireNormalizer`` hides what protobuf-c cannot keep.
  ///
  /// A field that has this number by itself is hidden in the same way, so nothing is ambiguous.
  static let wrapper: Int32 = (1 << 29) - 1

  /// Appends what a wrapper holds, its length left out.
  private mutating func appendWrapped(_ field: UnsafeRawBufferPointer) {
    var reader = WireReader(field)
    if let inner = try? reader.readDelimited() { bytes.append(contentsOf: inner.allBytes) }
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
