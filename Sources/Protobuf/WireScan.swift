internal import CProtobufC

/// What the readers of the wire must know of a message: flat, constant, read without counting references.
struct ScanTable {
  struct Entry {
    var number: Int32
    var wireType: UInt8
    /// A list of numbers may also arrive packed, in one length-delimited value.
    var isPackable: Bool
    var isText: Bool
    /// A message that is neither in a list nor in a map.
    var isSingleMessage: Bool
    /// A list or a map.
    var isList: Bool
    var kind: FieldInfo.Kind
    /// Bytes of one value in the C struct or in a list.
    var valueBytes: UInt8
    /// As in ``FieldInfo``; -1 for none.
    var offset: Int32
    var quantifierOffset: Int32
    /// Which oneof of the message; -1 outside.
    var oneof: Int16
    /// The table of the message's type; nil until the tables are linked.
    var child: UnsafePointer<ScanTable>?
  }

  var entries: UnsafeMutablePointer<Entry>
  var count: Int
  /// Index + 1 in `entries` of each number below `denseCount`; 0 where there is no field.
  var dense: UnsafeMutablePointer<UInt16>
  var denseCount: Int
  /// The C descriptor, and the size of its struct.
  var descriptor: UnsafeRawPointer
  var cSize: Int

  /// Makes the table of a message; it is never freed.
  static func make(
    fields: [FieldInfo],
    descriptor: UnsafeRawPointer,
    cSize: Int
  ) -> UnsafeMutablePointer<ScanTable> {
    let entries = UnsafeMutablePointer<Entry>.allocate(capacity: max(fields.count, 1))
    let denseCount = min(Int(fields.last?.number ?? 0) + 1, 256)
    let dense = UnsafeMutablePointer<UInt16>.allocate(capacity: denseCount)
    dense.initialize(repeating: 0, count: denseCount)
    for (index, field) in fields.enumerated() {
      (entries + index).initialize(to: Entry(field))
      if Int(field.number) < denseCount { dense[Int(field.number)] = UInt16(index + 1) }
    }
    let table = UnsafeMutablePointer<ScanTable>.allocate(capacity: 1)
    table.initialize(
      to: ScanTable(
        entries: entries,
        count: fields.count,
        dense: dense,
        denseCount: denseCount,
        descriptor: descriptor,
        cSize: cSize
      )
    )
    return table
  }

  @inline(__always)
  func entry(_ number: Int32) -> UnsafeMutablePointer<Entry>? {
    if Int(number) < denseCount {
      let index = Int(dense[Int(number)])
      return index == 0 ? nil : entries + (index - 1)
    }
    for index in 0..<count where entries[index].number == number { return entries + index }
    return nil
  }
}

extension ScanTable.Entry {
  /// Whether a value of this wire type is one of the field's.
  func accepts(_ wireType: UInt8) -> Bool {
    wireType == self.wireType || (wireType == 2 && isPackable)
  }

  fileprivate init(_ field: FieldInfo) {
    number = field.number
    isText = field.kind == .string
    isSingleMessage = field.kind == .message && field.hasPresence
    oneof = Int16(field.oneofIndex ?? -1)
    child = nil
    kind = field.kind
    isList = field.isRepeated || field.isMap
    offset = Int32(field.offset)
    quantifierOffset = Int32(field.quantifierOffset ?? -1)
    switch field.kind {
    case .string, .bytes: valueBytes = UInt8(MemoryLayout<ProtobufCBinaryData>.size)
    case .message: valueBytes = UInt8(MemoryLayout<UnsafeRawPointer>.size)
    case .double, .int64, .uint64, .fixed64, .sfixed64, .sint64: valueBytes = 8
    default: valueBytes = 4
    }
    switch field.kind {
    case .double, .fixed64, .sfixed64: wireType = 1
    case .float, .fixed32, .sfixed32: wireType = 5
    case .string, .bytes, .message: wireType = 2
    default: wireType = 0
    }
    isPackable = field.isRepeated && wireType != 2
  }
}

/// Checks bytes from outside before protobuf-c sees them.
///
/// Protobuf-c 1.4.1 follows any depth of nesting until the stack ends and takes any bytes for text;
/// the scan refuses both. It also stops at groups and at values of another wire type than the schema's,
/// and merges a message that comes twice wrongly; the scan finds those, and ``WireNormalizer`` writes
/// them anew.
struct WireScan {
  /// The message has something that protobuf-c does not read as it should.
  private(set) var needsNormalizing = false

  mutating func check(
    _ reader: inout WireReader,
    _ table: UnsafePointer<ScanTable>,
    depth: Int
  ) throws(ProtobufError) {
    guard depth <= ProtobufLimits.depth else { throw .tooDeep }
    var seen: UInt64 = 0
    while let tag = try reader.readTag() {
      guard let entry = table.pointee.entry(tag.number) else {
        if tag.wireType == 3 || tag.number == UnknownFields.wrapper { needsNormalizing = true }
        try reader.skip(tag, depth: depth)
        continue
      }
      guard tag.wireType == entry.pointee.wireType else {
        // Another type than the schema's makes the field an unknown one.
        if !entry.pointee.accepts(tag.wireType) { needsNormalizing = true }
        try reader.skip(tag, depth: depth)
        continue
      }
      guard tag.wireType == 2 else {
        try reader.skip(tag, depth: depth)
        continue
      }
      var inner = try reader.readDelimited()
      if entry.pointee.isText {
        guard inner.isUTF8() else { throw .invalidUTF8(field: tag.number) }
      } else if let child = entry.pointee.child {
        if entry.pointee.isSingleMessage {
          // Numbers that share a bit cost a needless copy, no more.
          let bit = UInt64(1) << UInt64(tag.number & 63)
          if seen & bit != 0 { needsNormalizing = true }
          seen |= bit
        }
        try check(&inner, child, depth: depth + 1)
      }
    }
  }
}
