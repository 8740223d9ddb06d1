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
  private var prefix: (UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0, 0)
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
      let count = min(missing, rest.count)
      message.append(contentsOf: rest[..<count])
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      missing -= count
      guard missing == 0 else { return }
      prefixCount = 0
      let complete = ReceivedMessage(bytes: message, isCompressed: prefix.0 == 1)
      message = []
      emit(complete)
    }
  }

  private mutating func readPrefix(_ rest: inout UnsafeRawBufferPointer) throws(Failure) {
    let count = min(5 - prefixCount, rest.count)
    withUnsafeMutableBytes(of: &prefix) { target in
      for index in 0..<count { target[prefixCount + index] = rest[index] }
    }
    prefixCount += count
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    guard prefixCount == 5 else { return }
    guard prefix.0 <= 1 else { throw .badFlag(prefix.0) }
    missing =
      Int(prefix.1) << 24 | Int(prefix.2) << 16 | Int(prefix.3) << 8 | Int(prefix.4)
    guard missing <= maxMessageBytes else { throw .tooLarge(missing) }
    message.reserveCapacity(missing)
  }
}
