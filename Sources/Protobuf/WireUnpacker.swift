internal import CProtobufC

/// Checks a message and fills its C struct in the same pass, when the message is as our own side writes it.
///
/// Anything else, from an unknown field to a byte that cannot be, makes it give up: then ``WireScan``
/// says what is wrong, or protobuf-c unpacks what it passes. So this reader decides nothing that the
/// general way decides; it only has to fill what it accepts as protobuf-c would.
struct WireUnpacker {
  private let state: UnsafeMutablePointer<Arena.State>

  /// The C struct, whose texts and bytes are parts of a copy in the arena; nil for the general way.
  ///
  /// - Throws: ``ProtobufError/tooLarge`` at the arena's limit.
  static func unpack(
    _ bytes: UnsafeRawBufferPointer,
    _ table: UnsafePointer<ScanTable>,
    _ arena: borrowing Arena
  ) throws(ProtobufError) -> UnsafeMutableRawPointer? {
    let unpacker = WireUnpacker(state: arena.state)
    do {
      let copy = try unpacker.allocate(bytes.count)
      if let source = bytes.baseAddress { copy.copyMemory(from: source, byteCount: bytes.count) }
      let reader = WireReader(UnsafeRawBufferPointer(start: copy, count: bytes.count))
      return try unpacker.message(table, reader, depth: 1)
    } catch {
      if arena.wasRefused { throw .tooLarge }
      return nil
    }
  }

  private func message(
    _ table: UnsafePointer<ScanTable>,
    _ input: WireReader,
    depth: Int
  ) throws(ProtobufError) -> UnsafeMutableRawPointer {
    guard depth <= ProtobufLimits.depth else { throw .tooDeep }
    let size = table.pointee.cSize
    let message = try allocate(size)
    // The lowered schema has no default but zero, so this is what the C initialiser does.
    message.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    message.storeBytes(of: table.pointee.descriptor, as: UnsafeRawPointer.self)
    var reader = input
    while let tag = try reader.readTag() {
      guard let entry = table.pointee.entry(tag.number) else { throw .malformed }
      if tag.wireType == entry.pointee.wireType {
        let place = try place(of: entry, in: message)
        try read(entry, &reader, into: place, depth)
      } else {
        guard tag.wireType == 2, entry.pointee.isPackable else { throw .malformed }
        var packed = try reader.readDelimited()
        while packed.position < packed.end {
          let place = try place(of: entry, in: message)
          try read(entry, &packed, into: place, depth)
        }
      }
    }
    return message
  }

  // MARK: Places

  /// Where the next value of a field belongs.
  @inline(__always)
  private func place(
    of entry: UnsafePointer<ScanTable.Entry>,
    in message: UnsafeMutableRawPointer
  ) throws(ProtobufError) -> UnsafeMutableRawPointer {
    let offset = Int(entry.pointee.offset)
    let quantifier = Int(entry.pointee.quantifierOffset)
    guard quantifier >= 0 else { return message + offset }
    if entry.pointee.isList { return try append(entry, message + offset, message + quantifier) }
    // Another member of the oneof would have to be forgotten.
    let number = UInt32(bitPattern: entry.pointee.number)
    let current = message.load(fromByteOffset: quantifier, as: UInt32.self)
    guard current == 0 || current == number else { throw .malformed }
    message.storeBytes(of: number, toByteOffset: quantifier, as: UInt32.self)
    return message + offset
  }

  /// A new last place of a list, which has room for 4, 8, 16, … values.
  private func append(
    _ entry: UnsafePointer<ScanTable.Entry>,
    _ list: UnsafeMutableRawPointer,
    _ countPlace: UnsafeMutableRawPointer
  ) throws(ProtobufError) -> UnsafeMutableRawPointer {
    let count = countPlace.load(as: Int.self)
    let bytes = Int(entry.pointee.valueBytes)
    if count == 0 {
      list.storeBytes(of: try allocate(4 * bytes), as: UnsafeMutableRawPointer.self)
    } else if count >= 4, count & (count - 1) == 0 {
      let larger = try allocate(2 * count * bytes)
      larger.copyMemory(from: list.load(as: UnsafeRawPointer.self), byteCount: count * bytes)
      list.storeBytes(of: larger, as: UnsafeMutableRawPointer.self)
    }
    countPlace.storeBytes(of: count + 1, as: Int.self)
    return list.load(as: UnsafeMutableRawPointer.self) + count * bytes
  }

  @inline(__always)
  private func allocate(_ bytes: Int) throws(ProtobufError) -> UnsafeMutableRawPointer {
    guard let start = Arena.allocateWithinLimit(state, bytes) else { throw .tooLarge }
    return start
  }

  // MARK: Values

  @inline(__always)
  private func read(
    _ entry: UnsafePointer<ScanTable.Entry>,
    _ reader: inout WireReader,
    into place: UnsafeMutableRawPointer,
    _ depth: Int
  ) throws(ProtobufError) {
    switch entry.pointee.kind {
    case .string:
      let text = try reader.readDelimited()
      guard text.isUTF8() else { throw .invalidUTF8(field: entry.pointee.number) }
      store(text, place)
    case .bytes: store(try reader.readDelimited(), place)
    case .message:
      guard let child = entry.pointee.child else { throw .malformed }
      let inner = try reader.readDelimited()
      // A single message that comes again is merged by the general way.
      guard entry.pointee.isList || place.load(as: UnsafeRawPointer?.self) == nil else {
        throw .malformed
      }
      let message = try message(child, inner, depth: depth + 1)
      place.storeBytes(of: message, as: UnsafeMutableRawPointer.self)
    default: try readNumber(entry.pointee.kind, &reader, into: place)
    }
  }

  @inline(__always)
  private func store(_ value: WireReader, _ place: UnsafeMutableRawPointer) {
    let bytes = value.allBytes
    var data = ProtobufCBinaryData()
    if let start = bytes.baseAddress, bytes.count > 0 {
      data.len = bytes.count
      data.data = UnsafeMutableRawPointer(mutating: start).assumingMemoryBound(to: UInt8.self)
    }
    place.storeBytes(of: data, as: ProtobufCBinaryData.self)
  }

  @inline(__always)
  private func readNumber(
    _ kind: FieldInfo.Kind,
    _ reader: inout WireReader,
    into place: UnsafeMutableRawPointer
  ) throws(ProtobufError) {
    switch kind {
    case .int32, .uint32, .enumeration:
      place.storeBytes(of: UInt32(truncatingIfNeeded: try reader.readVarint()), as: UInt32.self)
    case .int64, .uint64:
      place.storeBytes(of: try reader.readVarint(), as: UInt64.self)
    case .sint32:
      let value = UInt32(truncatingIfNeeded: try reader.readVarint())
      place.storeBytes(of: value >> 1 ^ (0 &- (value & 1)), as: UInt32.self)
    case .sint64:
      let value = try reader.readVarint()
      place.storeBytes(of: value >> 1 ^ (0 &- (value & 1)), as: UInt64.self)
    case .bool:
      let start = reader.position
      let value = try reader.readVarint()
      // A longer one may have bits that no varint has room for.
      guard reader.position - start == 1 else { throw .malformed }
      place.storeBytes(of: value == 0 ? 0 : 1, as: Int32.self)
    case .fixed32, .sfixed32, .float:
      place.storeBytes(of: try reader.readFixed(UInt32.self), as: UInt32.self)
    case .fixed64, .sfixed64, .double:
      place.storeBytes(of: try reader.readFixed(UInt64.self), as: UInt64.self)
    case .string, .bytes, .message: throw .malformed
    }
  }
}
