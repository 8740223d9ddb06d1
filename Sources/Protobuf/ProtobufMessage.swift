/// A generated message: a value type that protobuf-c packs and unpacks.
///
/// Fields keep their schema's defaults until they are set; unknown fields of the wire are kept and
/// written again.
package protocol ProtobufMessage: Sendable, Hashable {
  /// A message with every field at its default.
  init()
  /// Package and name, `oneshot.jobs.v1.Job`.
  static var fullName: String { get }
  /// The tables of the message.
  static var info: MessageInfo { get }
  /// Fields of the wire that the schema does not know.
  var unknownFields: UnknownFields { get set }
  /// Copies the fields out of an unpacked C struct of this message's type.
  init(cMessage: UnsafeRawPointer)
  /// Copies the fields into a fresh C struct of this message's type; memory comes from the arena.
  func store(in cMessage: UnsafeMutableRawPointer, arena: borrowing Arena)
}

extension ProtobufMessage {
  /// Decodes one message.
  ///
  /// The bytes are checked first (depth, size, UTF-8, wire types), then unpacked into the thread's
  /// arena and copied into Swift values; nothing refers to `bytes` afterwards.
  @inlinable
  package init(decoding bytes: UnsafeRawBufferPointer) throws(ProtobufError) {
    let unpacked = try UnpackedMessage(Self.info, bytes)
    self.init(cMessage: unpacked.cMessage)
  }

  /// Decodes one message.
  @inlinable
  package init(decoding bytes: [UInt8]) throws(ProtobufError) {
    let result = bytes.withUnsafeBytes { raw in
      Result { () throws(ProtobufError) in try Self(decoding: raw) }
    }
    self = try result.get()
  }

  /// Decodes the bytes behind a prefix, such as the header of a gRPC frame.
  @inlinable
  package init(decoding bytes: ArraySlice<UInt8>) throws(ProtobufError) {
    let result = bytes.withUnsafeBytes { raw in
      Result { () throws(ProtobufError) in try Self(decoding: raw) }
    }
    self = try result.get()
  }

  /// Encodes the message behind `prefix` zero bytes that are the caller's to fill.
  ///
  /// Takes one allocation, the array itself.
  @inlinable
  package func encoded(reserving prefix: Int) -> [UInt8] {
    let arena = Arena()
    return arena.pack(arena.stored(self), reserving: prefix)
  }

  /// Encodes the message.
  @inlinable
  package func encoded() -> [UInt8] {
    encoded(reserving: 0)
  }

  /// Makes a message and lets the closure set its fields.
  @inlinable
  package static func with(_ body: (inout Self) throws -> Void) rethrows -> Self {
    var message = Self()
    try body(&message)
    return message
  }
}
