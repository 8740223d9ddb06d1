/// Writes the wire format from its last byte to its first.
///
/// Backwards, the length of a nested message is known when it is due, so one pass is enough and
/// nothing is measured before it is written. Generated code calls the methods in reverse: the value,
/// then its tag. The bytes lie in an ``Arena``, so an ordinary message allocates nothing.
package struct WireWriter: ~Copyable {
  private let arena: Arena
  /// The first byte of the buffer.
  @usableFromInline var start: UnsafeMutableRawPointer
  /// The first byte written so far.
  @usableFromInline var cursor: UnsafeMutableRawPointer
  /// Behind the last byte.
  @usableFromInline var end: UnsafeMutableRawPointer

  /// The bytes that are there at first; a block of the arena holds them.
  private static let firstBytes = 16 << 10
  /// A varint has at most ten bytes, a tag five.
  @usableFromInline static let scalarBytes = 16

  package init() {
    arena = Arena()
    start = arena.allocate(bytes: Self.firstBytes)
    end = start + Self.firstBytes
    cursor = end
  }

  /// The bytes written so far.
  @inlinable package var count: Int { end - cursor }

  /// Makes room for `bytes` more.
  @inlinable @inline(__always)
  mutating func reserve(_ bytes: Int) {
    if cursor - start < bytes { grow(bytes) }
  }

  @usableFromInline
  mutating func grow(_ bytes: Int) {
    let written = count
    let size = max(2 * (end - start), written + bytes)
    let larger = arena.allocate(bytes: size)
    (larger + (size - written)).copyMemory(from: cursor, byteCount: written)
    start = larger
    end = larger + size
    cursor = end - written
  }
}

// MARK: Values

extension WireWriter {
  /// A tag: number and wire type.
  @inlinable @inline(__always)
  package mutating func tag(_ tag: UInt32) {
    if tag < 0x80 {
      reserve(1)
      cursor -= 1
      cursor.storeBytes(of: UInt8(truncatingIfNeeded: tag), as: UInt8.self)
    } else {
      longVarint(UInt64(tag))
    }
  }

  @inlinable @inline(__always)
  package mutating func varint(_ value: UInt64) {
    reserve(Self.scalarBytes)
    if value < 0x80 {
      cursor -= 1
      cursor.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    } else {
      longVarint(value)
    }
  }

  @usableFromInline
  mutating func longVarint(_ value: UInt64) {
    let size = (63 - (value | 1).leadingZeroBitCount) / 7 + 1
    reserve(size)
    cursor -= size
    var rest = value
    for index in 0..<(size - 1) {
      cursor.storeBytes(
        of: UInt8(truncatingIfNeeded: rest) | 0x80,
        toByteOffset: index,
        as: UInt8.self
      )
      rest >>= 7
    }
    cursor.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: size - 1, as: UInt8.self)
  }

  @inlinable @inline(__always)
  package mutating func int32(_ value: Int32) { varint(UInt64(bitPattern: Int64(value))) }

  @inlinable @inline(__always)
  package mutating func int64(_ value: Int64) { varint(UInt64(bitPattern: value)) }

  @inlinable @inline(__always)
  package mutating func uint32(_ value: UInt32) { varint(UInt64(value)) }

  @inlinable @inline(__always)
  package mutating func uint64(_ value: UInt64) { varint(value) }

  @inlinable @inline(__always)
  package mutating func sint32(_ value: Int32) {
    varint(UInt64(UInt32(bitPattern: (value << 1) ^ (value >> 31))))
  }

  @inlinable @inline(__always)
  package mutating func sint64(_ value: Int64) {
    varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
  }

  @inlinable @inline(__always)
  package mutating func bool(_ value: Bool) { varint(value ? 1 : 0) }

  @inlinable @inline(__always)
  package mutating func fixed32(_ value: UInt32) {
    reserve(Self.scalarBytes)
    cursor -= 4
    cursor.storeBytes(of: value.littleEndian, as: UInt32.self)
  }

  @inlinable @inline(__always)
  package mutating func fixed64(_ value: UInt64) {
    reserve(Self.scalarBytes)
    cursor -= 8
    cursor.storeBytes(of: value.littleEndian, as: UInt64.self)
  }

  /// The length of what was written since there were `mark` bytes.
  @inlinable @inline(__always)
  package mutating func length(since mark: Int) { varint(UInt64(count - mark)) }

  /// A string with its length.
  @inlinable @inline(__always)
  package mutating func string(_ value: String) {
    let done: Void? = value.utf8.withContiguousStorageIfAvailable { delimited($0) }
    if done == nil { bridged(value) }
  }

  /// A string that does not lie in memory as UTF-8.
  @usableFromInline
  mutating func bridged(_ value: String) {
    var copy = value
    copy.withUTF8 { delimited($0) }
  }

  /// Bytes with their length.
  @inlinable @inline(__always)
  package mutating func bytes(_ value: [UInt8]) {
    value.withUnsafeBufferPointer { delimited($0) }
  }

  @usableFromInline
  mutating func delimited(_ bytes: UnsafeBufferPointer<UInt8>) {
    raw(bytes)
    varint(UInt64(bytes.count))
  }

  private mutating func raw(_ bytes: UnsafeBufferPointer<UInt8>) {
    reserve(bytes.count + Self.scalarBytes)
    guard let source = bytes.baseAddress else { return }
    cursor -= bytes.count
    cursor.copyMemory(from: source, byteCount: bytes.count)
  }

  /// The fields that the schema does not know; they come last, so they are written first.
  @inlinable @inline(__always)
  package mutating func unknown(_ fields: UnknownFields) {
    if !fields.bytes.isEmpty { store(fields) }
  }

  @usableFromInline
  mutating func store(_ fields: UnknownFields) {
    fields.bytes.withUnsafeBufferPointer { raw($0) }
  }
}

// MARK: Result

extension WireWriter {
  /// The message behind `prefix` zero bytes that are the caller's to fill; one allocation.
  package consuming func bytes(reserving prefix: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(prefix + count)
    for _ in 0..<prefix { bytes.append(0) }
    bytes.append(contentsOf: UnsafeRawBufferPointer(start: cursor, count: count))
    return bytes
  }

  /// Appends the message; allocates nothing when `output` has room.
  package consuming func append(to output: inout [UInt8]) {
    output.append(
      contentsOf: UnsafeRawBufferPointer(start: cursor, count: count)
    )
  }
}
