internal import CProtobufC

/// A message in protobuf-c's form, in an arena of its own.
///
/// The way from bytes to a Swift message, and to the JSON printers, which read the C struct by its
/// ``MessageInfo`` without making Swift values.
package struct UnpackedMessage: ~Copyable {
  private let arena: Arena
  /// The C struct; valid while this value lives.
  package let cMessage: UnsafeMutableRawPointer

  /// Checks and unpacks one message.
  package init(_ info: MessageInfo, _ bytes: UnsafeRawBufferPointer) throws(ProtobufError) {
    let arena = Arena(limit: ProtobufLimits.arenaBytes(forMessageOf: bytes.count))
    let message = try Self.checkAndUnpack(info, bytes, arena)
    self.arena = arena
    cMessage = message
  }

  /// Checks and unpacks one message.
  package init(_ info: MessageInfo, _ bytes: [UInt8]) throws(ProtobufError) {
    let arena = Arena(limit: ProtobufLimits.arenaBytes(forMessageOf: bytes.count))
    // The array is passed as a pointer for the time of the call.
    let message = try Self.checkAndUnpack(info, bytes, count: bytes.count, arena)
    self.arena = arena
    cMessage = message
  }

  /// The same by the general way alone.
  init(
    generally info: MessageInfo,
    _ bytes: UnsafeRawBufferPointer
  ) throws(ProtobufError) {
    let arena = Arena(limit: ProtobufLimits.arenaBytes(forMessageOf: bytes.count))
    let message = try Self.generally(info, bytes, arena)
    self.arena = arena
    cMessage = message
  }

  private static func checkAndUnpack(
    _ info: MessageInfo,
    _ bytes: UnsafeRawPointer,
    count: Int,
    _ arena: borrowing Arena
  ) throws(ProtobufError) -> UnsafeMutableRawPointer {
    let bytes = UnsafeRawBufferPointer(start: bytes, count: count)
    return try checkAndUnpack(info, bytes, arena)
  }

  private static func checkAndUnpack(
    _ info: MessageInfo,
    _ bytes: UnsafeRawBufferPointer,
    _ arena: borrowing Arena
  ) throws(ProtobufError) -> UnsafeMutableRawPointer {
    guard bytes.count <= ProtobufLimits.messageBytes else { throw .tooLarge }
    if let message = try WireUnpacker.unpack(bytes, info.scanTable, arena) { return message }
    arena.restart(limit: ProtobufLimits.arenaBytes(forMessageOf: bytes.count))
    return try generally(info, bytes, arena)
  }

  /// The way of messages that hold anything unusual.
  private static func generally(
    _ info: MessageInfo,
    _ bytes: UnsafeRawBufferPointer,
    _ arena: borrowing Arena
  ) throws(ProtobufError) -> UnsafeMutableRawPointer {
    var scan = WireScan()
    var reader = WireReader(bytes)
    let table = info.scanTable
    try scan.check(&reader, table, depth: 1)
    guard scan.needsNormalizing else { return try unpack(info, bytes, arena) }
    let (copy, count) = arena.copy(try WireNormalizer.normalized(bytes, table))
    return try unpack(info, UnsafeRawBufferPointer(start: copy, count: count), arena)
  }

  private static func unpack(
    _ info: MessageInfo,
    _ bytes: UnsafeRawBufferPointer,
    _ arena: borrowing Arena
  ) throws(ProtobufError) -> UnsafeMutableRawPointer {
    let unpacked = protobuf_c_message_unpack(
      info.cDescriptor,
      arena.allocator,
      bytes.count,
      bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    )
    guard let unpacked else { throw arena.wasRefused ? .tooLarge : .malformed }
    return UnsafeMutableRawPointer(unpacked)
  }
}
