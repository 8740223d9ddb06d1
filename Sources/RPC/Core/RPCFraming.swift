/// gRPC's message frames: one byte "compressed", four bytes length, big endian, then the message
/// (grpc doc/PROTOCOL-HTTP2.md).
package enum RPCFraming {
  /// Bytes to reserve in front of an encoded message.
  package static let prefixLength = 5

  /// Writes the prefix of a message into its reserved bytes.
  package static func seal(_ frame: inout [UInt8], isCompressed: Bool = false) {
    let count = UInt32(frame.count - prefixLength)
    frame[0] = isCompressed ? 1 : 0
    frame[1] = UInt8(truncatingIfNeeded: count >> 24)
    frame[2] = UInt8(truncatingIfNeeded: count >> 16)
    frame[3] = UInt8(truncatingIfNeeded: count >> 8)
    frame[4] = UInt8(truncatingIfNeeded: count)
  }

  /// A frame around `message`, for bytes that were not encoded by us.
  package static func frame(_ message: [UInt8]) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: prefixLength)
    frame.reserveCapacity(prefixLength + message.count)
    frame.append(contentsOf: message)
    seal(&frame)
    return frame
  }
}

/// One message as it came: perhaps compressed still.
struct ReceivedMessage: Sendable, Equatable {
  var bytes: [UInt8]
  /// The frame's flag.
  var isCompressed = false
}

/// Cuts a body into messages; bytes in, messages out, no I/O.
///
/// States: reading a prefix, reading a message. A prefix that names too large a message is refused
/// before anything is allocated for it.
struct MessageDeframer {
  enum Failure: Error, Equatable {
    case tooLarge(Int)
    /// A flag other than 0 and 1.
    case badFlag(UInt8)

    var error: ServiceError {
      switch self {
      case .tooLarge(let count):
        .runtime(.resourceExhausted, "message of \(count) bytes is over the limit")
      case .badFlag(let flag): .runtime(.internalError, "bad compressed flag \(flag)")
      }
    }
  }

  private let maxMessageBytes: Int
  /// What the prefix says as far as it has come.
  private var flag: UInt8 = 0
  private var length: UInt32 = 0
  private var prefixCount = 0
  private var message: [UInt8] = []
  private var missing = 0

  init(maxMessageBytes: Int) {
    self.maxMessageBytes = maxMessageBytes
  }

  /// Whether the bytes so far end between two messages.
  var isAtBoundary: Bool { prefixCount == 0 }

  /// Takes bytes; `emit` gets each message that is complete.
  mutating func receive(
    _ bytes: UnsafeRawBufferPointer,
    emit: (ReceivedMessage) -> Void
  ) throws(Failure) {
    var rest = bytes
    while !rest.isEmpty || (prefixCount == 5 && missing == 0) {
      if prefixCount < 5 {
        try readPrefix(&rest)
        guard prefixCount == 5 else { return }
      }
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(missing))
      rest = UnsafeRawBufferPointer(rebasing: rest[part.count...])
      guard part.count == missing else { return append(part) }
      let whole = finish(with: part)
      emit(ReceivedMessage(bytes: whole, isCompressed: flag == 1))
    }
  }

  /// Keeps a part of a message of which more is to come.
  private mutating func append(_ part: UnsafeRawBufferPointer) {
    guard !part.isEmpty else { return }
    message.reserveCapacity(message.count + missing)
    message.append(contentsOf: part)
    missing -= part.count
  }

  /// The message that ends with `part`, which most often is all of it.
  private mutating func finish(with part: UnsafeRawBufferPointer) -> [UInt8] {
    missing = 0
    prefixCount = 0
    guard !message.isEmpty else { return Array(part) }
    var whole: [UInt8] = []
    swap(&whole, &message)
    whole.append(contentsOf: part)
    return whole
  }

  private mutating func readPrefix(_ rest: inout UnsafeRawBufferPointer) throws(Failure) {
    if prefixCount == 0, rest.count >= 5 {
      flag = rest[0]
      length = UInt32(bigEndian: rest.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
      prefixCount = 5
      rest = UnsafeRawBufferPointer(rebasing: rest[5...])
    } else {
      readPartOfPrefix(&rest)
      guard prefixCount == 5 else { return }
    }
    guard flag <= 1 else { throw .badFlag(flag) }
    guard length <= maxMessageBytes else { throw .tooLarge(Int(length)) }
    missing = Int(length)
  }

  private mutating func readPartOfPrefix(_ rest: inout UnsafeRawBufferPointer) {
    while prefixCount < 5, let byte = rest.first {
      if prefixCount == 0 { flag = byte } else { length = length << 8 | UInt32(byte) }
      prefixCount += 1
      rest = UnsafeRawBufferPointer(rebasing: rest[1...])
    }
  }
}
