package import Protobuf

/// The messages that a client sends, as bytes.
///
/// One consumer.
package struct RawRequestStream: AsyncSequence, Sendable {
  package typealias Element = [UInt8]
  let connection: ServerConnection
  let call: ServerCall

  package struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let stream: RawRequestStream

    /// The next message, nil after the last one.
    ///
    /// - Throws: ``ServiceError`` when the call was cancelled, timed out or broke the protocol.
    package mutating func next() async throws -> [UInt8]? {
      let (connection, call) = (stream.connection, stream.call)
      if connection.loop.isCurrent { return try await connection.nextMessage(of: call) }
      return try await withTaskExecutorPreference(connection.loop) {
        try await connection.nextMessage(of: call)
      }
    }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}

/// Sends framed messages to a client; waits while the client is slow.
///
/// Sending stays where its caller is, `nonisolated(nonsending)`: else the runtime would look twice for
/// each function whether it is on the right executor.
package struct RawResponseWriter: Sendable {
  let connection: ServerConnection
  let call: ServerCall

  /// Queues one unsealed frame and waits until there is room for another.
  ///
  /// - Parameters:
  ///   - frame: The message behind ``RPCFraming/prefixLength`` unset bytes.
  ///   - compress: Nil: as ``ServerContext/compressReply(_:)`` says; false: not this message; true with
  ///     the first message: as if that had been called.
  /// - Throws: ``ServiceError`` `.cancelled` when the client has gone.
  package nonisolated(nonsending) func send(
    _ frame: [UInt8],
    compress: Bool? = nil
  ) async throws {
    var frame = frame
    try await send(&frame, compress: compress)
  }

  /// Queues one unsealed frame, whose bytes are the connection's afterwards.
  ///
  /// Asynchronous only where it has to wait: a frame for each function of a task costs as much as
  /// queueing the message.
  nonisolated(nonsending) func send(_ frame: inout [UInt8], compress: Bool?) async throws {
    guard let hasRoom = try sendHere(&frame, compress: compress) else {
      return try await sendFromElsewhere(frame, compress)
    }
    if !hasRoom { try await waitForRoom() }
  }

  /// The same for a handler on the loop; nil for one that is elsewhere.
  ///
  /// - Returns: Whether there is room for another.
  func sendHere(_ frame: inout [UInt8], compress: Bool?) throws -> Bool? {
    guard connection.loop.isCurrent else { return nil }
    return try connection.send(&frame, on: call, compress: compress)
  }

  nonisolated(nonsending) func waitForRoom() async throws {
    try await connection.waitForRoom(on: call)
  }

  nonisolated(nonsending) func sendFromElsewhere(
    _ frame: [UInt8],
    _ compress: Bool?
  ) async throws {
    try await withTaskExecutorPreference(connection.loop) {
      var frame = frame
      try await send(&frame, compress: compress)
    }
  }
}

/// The messages that a client sends.
///
/// One consumer.
package struct RequestStream<Message: ProtobufMessage>: AsyncSequence, Sendable {
  package typealias Element = Message
  private let raw: RawRequestStream

  package init(_ raw: RawRequestStream) { self.raw = raw }

  package struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate var raw: RawRequestStream.AsyncIterator

    /// The next message, nil after the last one.
    package mutating func next() async throws -> Message? {
      guard let bytes = try await raw.next() else { return nil }
      return try Message(decodingCall: bytes)
    }
  }

  package func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(raw: raw.makeAsyncIterator())
  }
}

/// Sends messages to a client; waits while the client is slow.
package struct ResponseWriter<Message: ProtobufMessage>: Sendable {
  private let raw: RawResponseWriter

  package init(_ raw: RawResponseWriter) { self.raw = raw }

  /// Sends one message, compressed as ``RawResponseWriter/send(_:compress:)`` says.
  package nonisolated(nonsending) func send(
    _ message: Message,
    compress: Bool? = nil
  ) async throws {
    var frame = message.encoded(reserving: RPCFraming.prefixLength)
    guard let hasRoom = try raw.sendHere(&frame, compress: compress) else {
      return try await raw.sendFromElsewhere(frame, compress)
    }
    if !hasRoom { try await raw.waitForRoom() }
  }
}

extension ProtobufMessage {
  /// Decodes a message of a call; what is wrong with it is the peer's fault.
  package init(decodingCall bytes: [UInt8]) throws(ServiceError) {
    do {
      try self.init(decoding: bytes)
    } catch {
      throw ServiceError(
        code: .internalError,
        reason: "MALFORMED_MESSAGE",
        message: "cannot decode \(Self.fullName): \(error)"
      )
    }
  }
}
