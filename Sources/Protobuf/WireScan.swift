/// What the guard scan must know of a message: flat, constant, read without counting references.
@usableFromInline
struct ScanTable {
  struct Entry {
    var number: Int32
    var wireType: UInt8
    /// A list of numbers may also arrive packed, in one length-delimited value.
    var isPackable: Bool
    var isText: Bool
    var isMessage: Bool
    /// The table of the message's type; nil until the tables are linked.
    var child: UnsafePointer<ScanTable>?
  }

  var entries: UnsafeMutablePointer<Entry>
  var count: Int
  /// Index + 1 in `entries` of each number below `denseCount`; 0 where there is no field.
  var dense: UnsafeMutablePointer<UInt16>
  var denseCount: Int

  /// Makes the table of a message; it is never freed.
  static func make(fields: [FieldInfo]) -> UnsafeMutablePointer<ScanTable> {
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
      to: ScanTable(entries: entries, count: fields.count, dense: dense, denseCount: denseCount)
    )
    return table
  }

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
  fileprivate init(_ field: FieldInfo) {
    number = field.number
    isText = field.kind == .string
    isMessage = field.kind == .message
    child = nil
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
/// Protobuf-c 1.4.1 follows any depth of nesting until the stack ends, takes any bytes for text and
/// stops at unknown groups; the scan refuses the first two and finds the third.
struct WireScan {
  /// The message holds a group, which ``GroupFilter`` must take out.
  private(set) var foundGroup = false

  mutating func check(
    _ reader: inout WireReader,
    _ table: UnsafePointer<ScanTable>,
    depth: Int
  ) throws(ProtobufError) {
    guard depth <= ProtobufLimits.depth else { throw .tooDeep }
    while let tag = try reader.readTag() {
      guard let entry = table.pointee.entry(tag.number) else {
        if tag.wireType == 3 { foundGroup = true }
        try reader.skip(tag, depth: depth)
        continue
      }
      guard tag.wireType == entry.pointee.wireType else {
        guard tag.wireType == 2, entry.pointee.isPackable else {
          throw .wrongWireType(field: tag.number)
        }
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
        try check(&inner, child, depth: depth + 1)
      }
    }
  }
}

/// Copies a message without the groups that its schema does not know.
struct GroupFilter {
  /// The filtered message; the bytes have passed ``WireScan``.
  static func filter(
    _ bytes: UnsafeRawBufferPointer,
    _ table: UnsafePointer<ScanTable>
  ) throws(ProtobufError) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    try filter(WireReader(bytes), table, &output)
    return output
  }

  private static func filter(
    _ input: WireReader,
    _ table: UnsafePointer<ScanTable>,
    _ output: inout [UInt8]
  ) throws(ProtobufError) {
    var reader = input
    while true {
      let start = reader.position
      guard let tag = try reader.readTag() else { return }
      guard tag.wireType == 2, let child = table.pointee.entry(tag.number)?.pointee.child else {
        try reader.skip(tag, depth: 1)
        if tag.wireType != 3 { output.append(contentsOf: reader.bytes(from: start)) }
        continue
      }
      output.append(contentsOf: reader.bytes(from: start))
      var inner: [UInt8] = []
      try filter(try reader.readDelimited(), child, &inner)
      appendLength(inner.count, &output)
      output.append(contentsOf: inner)
    }
  }

  private static func appendLength(_ length: Int, _ output: inout [UInt8]) {
    var rest = length
    while rest >= 0x80 {
      output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    output.append(UInt8(rest))
  }
}
