package import Protobuf

/// What a unary call brought back.
package struct RPCReply: Sendable {
  /// The message without its frame.
  package let message: [UInt8]
  /// Whether it came compressed: for tests and debugging.
  package let wasCompressed: Bool
  package let headers: Metadata
  package let trailers: Metadata
}

/// A streaming call from the client's side, as bytes.
///
/// One reader and one writer at a time.
package struct RawClientStream: AsyncSequence, Sendable {
  package typealias Element = [UInt8]
  let stream: ClientStream
  let limits: RPCLimits
  let config: ServiceConfig.MethodConfig?
  let compression: Compression?

  /// Sends one unsealed frame; waits while the peer is slow.
  ///
  /// With `compress` false it goes as it is, whatever ``CallOptions/compression`` says.
  package func send(_ frame: consuming [UInt8], compress: Bool = true) async throws(ServiceError) {
    try limits.checkSending(frame, config)
    Compression.seal(&frame, with: compress ? compression : nil)
    try await stream.send(frame)
  }

  /// Whether the message that was read last came compressed: for tests and debugging.
  package var wasCompressed: Bool {
    get async { await stream.wasCompressed }
  }

  /// Tells the peer that no more messages come.
  package func finishSending() async {
    await stream.finishSending()
  }

  /// Gives the call up; the peer's handler is cancelled.
  package func cancel() async {
    await stream.cancel()
  }

  /// The reply's headers, as soon as they are there.
  package var headers: Metadata {
    get async throws(ServiceError) { try await stream.headers() }
  }

  /// The metadata that came with the status, once the call has ended; empty when it was lost.
  ///
  /// Reading it before every message was read waits for the end.
  package var trailers: Metadata {
    get async { await stream.trailers() }
  }

  package struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let stream: ClientStream

    /// The next message, nil after the last one.
    ///
    /// A cancelled task cancels the call.
    package mutating func next() async throws -> [UInt8]? {
      let stream = self.stream
      return try await withTaskCancellationHandler {
        try await stream.next()
      } onCancel: {
        stream.loop.submit { stream.assumeIsolated { $0.cancel() } }
      }
    }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

/// Sends the messages of a call.
package struct RequestWriter<Message: ProtobufMessage>: Sendable {
  private let raw: RawClientStream

  package init(_ raw: RawClientStream) { self.raw = raw }

  /// Sends one message; waits while the peer is slow.
  ///
  /// With `compress` false it goes as it is, whatever ``CallOptions/compression`` says.
  package func send(_ message: Message, compress: Bool = true) async throws {
    try await raw.send(message.encoded(reserving: RPCFraming.prefixLength), compress: compress)
  }

  /// Tells the peer that no more messages come.
  package func finish() async { await raw.finishSending() }
}

/// The messages that come back.
///
/// One consumer.
package struct ResponseStream<Message: ProtobufMessage>: AsyncSequence, Sendable {
  package typealias Element = Message
  private let raw: RawClientStream

  package init(_ raw: RawClientStream) { self.raw = raw }

  /// The reply's headers, as soon as they are there.
  package var headers: Metadata {
    get async throws(ServiceError) { try await raw.headers }
  }

  /// The metadata that came with the status, once the call has ended.
  package var trailers: Metadata {
    get async { await raw.trailers }
  }

  /// Gives the call up.
  package func cancel() async { await raw.cancel() }

  /// Whether the message that was read last came compressed: for tests and debugging.
  package var wasCompressed: Bool {
    get async { await raw.wasCompressed }
  }

  package struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate var raw: RawClientStream.AsyncIterator

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

/// Both directions of a bidirectional call.
package struct BidiCall<Request: ProtobufMessage, Response: ProtobufMessage>: Sendable {
  package let requests: RequestWriter<Request>
  package let responses: ResponseStream<Response>

  package init(_ raw: RawClientStream) {
    requests = RequestWriter(raw)
    responses = ResponseStream(raw)
  }
}
