/// Copies a message into a form that protobuf-c reads right.
///
/// Groups, and values of another wire type than the schema's, become one unknown field that
/// ``UnknownFields`` opens again. A single message that comes several times is
/// written once: to merge messages is to join their bytes (protobuf.dev, "Last One Wins").
struct WireNormalizer {
  private let table: UnsafePointer<ScanTable>
  private var output: [UInt8] = []
  /// Bytes of the single messages so far, by number.
  private var single: [Int32: [UInt8]] = [:]

  /// The message in its new form; the bytes have passed ``WireScan``.
  static func normalized(
    _ bytes: UnsafeRawBufferPointer,
    _ table: UnsafePointer<ScanTable>
  ) throws(ProtobufError) -> [UInt8] {
    var normalizer = WireNormalizer(table: table)
    normalizer.output.reserveCapacity(bytes.count)
    try normalizer.copy(WireReader(bytes))
    return normalizer.output
  }

  private init(table: UnsafePointer<ScanTable>) {
    self.table = table
  }

  private mutating func copy(_ input: WireReader) throws(ProtobufError) {
    var reader = input
    var start = reader.position
    while let tag = try reader.readTag() {
      let known = table.pointee.entry(tag.number)
      let entry = known?.pointee.accepts(tag.wireType) == true ? known : nil
      if let entry { forgetOthers(ofOneof: entry.pointee.oneof, but: tag.number) }
      if tag.wireType == 2, let entry, let child = entry.pointee.child {
        let key = reader.bytes(from: start)
        let inner = try reader.readDelimited()
        if entry.pointee.isSingleMessage {
          single[tag.number, default: []].append(contentsOf: inner.allBytes)
        } else {
          output.append(contentsOf: key)
          try append(inner.allBytes, child)
        }
      } else {
        try reader.skip(tag, depth: 1)
        let isKept = entry != nil || (known == nil && tag.wireType != 3)
        if isKept, tag.number != UnknownFields.wrapper {
          output.append(contentsOf: reader.bytes(from: start))
        } else {
          appendField(UnknownFields.wrapper, reader.bytes(from: start))
        }
      }
      start = reader.position
    }
    try appendSingleMessages()
  }

  /// A later member of a oneof replaces an earlier one.
  private mutating func forgetOthers(ofOneof oneof: Int16, but number: Int32) {
    guard oneof >= 0 else { return }
    for other in single.keys where other != number {
      if table.pointee.entry(other)?.pointee.oneof == oneof { single[other] = nil }
    }
  }

  private mutating func appendSingleMessages() throws(ProtobufError) {
    for (number, bytes) in single.sorted(by: { $0.key < $1.key }) {
      guard let child = table.pointee.entry(number)?.pointee.child else { continue }
      appendVarint(UInt64(number) << 3 | 2)
      let normalized = try bytes.withUnsafeBytes { raw in
        Result { () throws(ProtobufError) in try Self.normalized(raw, child) }
      }.get()
      appendVarint(UInt64(normalized.count))
      output.append(contentsOf: normalized)
    }
  }

  private mutating func appendField(_ number: Int32, _ bytes: UnsafeRawBufferPointer) {
    appendVarint(UInt64(number) << 3 | 2)
    appendVarint(UInt64(bytes.count))
    output.append(contentsOf: bytes)
  }

  private mutating func append(
    _ bytes: UnsafeRawBufferPointer,
    _ child: UnsafePointer<ScanTable>
  ) throws(ProtobufError) {
    let normalized = try Self.normalized(bytes, child)
    appendVarint(UInt64(normalized.count))
    output.append(contentsOf: normalized)
  }

  private mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    output.append(UInt8(rest))
  }
}
