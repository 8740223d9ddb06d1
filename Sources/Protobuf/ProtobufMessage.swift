/// A generated message: a value type that protobuf-c unpacks and generated code writes.
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
  /// Writes the fields, the last one first, as ``WireWriter`` wants them.
  func write(to w: inout WireWriter)

  // Written for each message rather than once for all: generic code of another module would not be
  // specialised, and costs more than the message itself.

  /// Decodes one message.
  ///
  /// The bytes are checked first (depth, size, UTF-8, wire types), then unpacked into the thread's
  /// arena and copied into Swift values; nothing refers to `bytes` afterwards.
  init(decoding bytes: UnsafeRawBufferPointer) throws(ProtobufError)
  /// Decodes one message.
  init(decoding bytes: [UInt8]) throws(ProtobufError)
  /// Encodes the message behind `prefix` zero bytes that are the caller's to fill.
  ///
  /// Takes one allocation, the array itself.
  func encoded(reserving prefix: Int) -> [UInt8]
  /// Encodes the message behind what `output` holds; allocates nothing when it has room.
  func encode(appendingTo output: inout [UInt8])
}

extension ProtobufMessage {
  /// Encodes the message.
  package func encoded() -> [UInt8] {
    encoded(reserving: 0)
  }

  /// Makes a message and lets the closure set its fields.
  package static func with(_ body: (inout Self) throws -> Void) rethrows -> Self {
    var message = Self()
    try body(&message)
    return message
  }
}
