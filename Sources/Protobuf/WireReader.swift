/// Number and wire type of a field on the wire.
struct WireTag {
  var number: Int32
  /// 0 varint, 1 eight bytes, 2 length-delimited, 3 and 4 start and end of a group, 5 four bytes.
  var wireType: UInt8
}

/// Reads the wire format from bytes that nobody has checked.
///
/// Every read is bounded by `end`; nothing traps on what the bytes say.
struct WireReader {
  private let base: UnsafeRawBufferPointer
  /// Offset of the next byte.
  private(set) var position: Int
  /// Offset behind the last byte.
  let end: Int

  init(_ bytes: UnsafeRawBufferPointer) {
    base = bytes
    position = 0
    end = bytes.count
  }

  /// A reader over a part that was found to be inside.
  private init(_ base: UnsafeRawBufferPointer, from position: Int, to end: Int) {
    self.base = base
    self.position = position
    self.end = end
  }

  /// The bytes from `start` up to the present position.
  func bytes(from start: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: base[start..<position])
  }

  /// The bytes from the present position to the end.
  var allBytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: base[position..<end])
  }

  @inline(__always)
  mutating func readVarint() throws(ProtobufError) -> UInt64 {
    guard position < end else { throw .truncated }
    let first = base[position]
    if first < 0x80 {
      position += 1
      return UInt64(first)
    }
    return try readLongVarint()
  }

  private mutating func readLongVarint() throws(ProtobufError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < end {
      let byte = base[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
      guard shift < 70 else { throw .malformed }
    }
    throw .truncated
  }

  /// The next tag; nil at the end.
  @inline(__always)
  mutating func readTag() throws(ProtobufError) -> WireTag? {
    guard position < end else { return nil }
    let value = try readVarint()
    let number = value >> 3
    guard number >= 1, number < 1 << 29, value & 7 <= 5 else { throw .malformed }
    return WireTag(number: Int32(number), wireType: UInt8(value & 7))
  }

  /// Reads a length and moves behind the bytes that it counts.
  @inline(__always)
  mutating func readDelimited() throws(ProtobufError) -> WireReader {
    let start = position
    let length = try readVarint()
    guard position - start <= 5, length <= UInt64(Int32.max) else { throw .malformed }
    guard Int(length) <= end - position else { throw .truncated }
    let inner = WireReader(base, from: position, to: position + Int(length))
    position += Int(length)
    return inner
  }

  /// A number of fixed size, least significant byte first.
  @inline(__always)
  mutating func readFixed<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type
  ) throws(ProtobufError) -> T {
    let size = MemoryLayout<T>.size
    guard size <= end - position else { throw .truncated }
    defer { position += size }
    return T(littleEndian: load(position, type))
  }

  /// Moves behind the value of `tag`, a whole group included.
  @inline(__always)
  mutating func skip(_ tag: WireTag, depth: Int) throws(ProtobufError) {
    switch tag.wireType {
    case 0: _ = try readVarint()
    case 1: try advance(8)
    case 2: _ = try readDelimited()
    case 3: try skipGroup(tag.number, depth: depth + 1)
    case 5: try advance(4)
    default: throw .malformed
    }
  }

  @inline(__always)
  private mutating func advance(_ count: Int) throws(ProtobufError) {
    guard count <= end - position else { throw .truncated }
    position += count
  }

  private mutating func skipGroup(_ number: Int32, depth: Int) throws(ProtobufError) {
    guard depth <= ProtobufLimits.depth else { throw .tooDeep }
    while let tag = try readTag() {
      if tag.wireType == 4 {
        guard tag.number == number else { throw .malformed }
        return
      }
      try skip(tag, depth: depth)
    }
    throw .truncated
  }

  /// Whether the rest of the bytes is UTF-8 (RFC 3629: no surrogates, nothing overlong).
  @inline(__always)
  func isUTF8() -> Bool { isASCII() || isOtherUTF8() }

  /// Whether the rest of the bytes is ASCII: nearly all text is, and a short one takes two loads.
  @inline(__always)
  private func isASCII() -> Bool {
    let count = end - position
    if count >= 8 {
      var bits = load(end - 8, UInt64.self)
      var index = position
      while end - index > 8 {
        bits |= load(index, UInt64.self)
        index += 8
      }
      return bits & 0x8080_8080_8080_8080 == 0
    }
    if count >= 4 {
      return (load(position, UInt32.self) | load(end - 4, UInt32.self)) & 0x8080_8080 == 0
    }
    guard count > 0 else { return true }
    return (base[position] | base[position + count / 2] | base[end - 1]) < 0x80
  }

  @inline(__always)
  private func load<T: BitwiseCopyable>(_ offset: Int, _ type: T.Type) -> T {
    base.loadUnaligned(fromByteOffset: offset, as: type)
  }

  private func isOtherUTF8() -> Bool {
    var index = position
    while index < end {
      let length = sequenceLength(at: index)
      guard length > 0 else { return false }
      index += length
    }
    return true
  }

  /// Bytes of the character at `index`; 0 when there is none.
  private func sequenceLength(at index: Int) -> Int {
    let first = base[index]
    if first < 0x80 { return 1 }
    let length: Int
    var secondRange: ClosedRange<UInt8> = 0x80...0xBF
    switch first {
    case 0xC2...0xDF: length = 2
    case 0xE0...0xEF:
      length = 3
      if first == 0xE0 { secondRange = 0xA0...0xBF }
      if first == 0xED { secondRange = 0x80...0x9F }
    case 0xF0...0xF4:
      length = 4
      if first == 0xF0 { secondRange = 0x90...0xBF }
      if first == 0xF4 { secondRange = 0x80...0x8F }
    default: return 0
    }
    guard end - index >= length, secondRange.contains(base[index + 1]) else { return 0 }
    for offset in 2..<max(length, 2) where base[index + offset] & 0xC0 != 0x80 { return 0 }
    return length
  }
}
