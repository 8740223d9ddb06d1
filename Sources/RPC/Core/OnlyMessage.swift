package import Protobuf

extension ProtobufMessage {
  /// The one message of a call whose client sends exactly one.
  ///
  /// - Throws: ``ServiceError`` when there is none, or a second one.
  package init(onlyMessageOf requests: RawRequestStream) async throws {
    var iterator = requests.makeAsyncIterator()
    guard let bytes = try await iterator.next() else {
      throw ServiceError.runtime(.unimplemented, "the call needs one request message")
    }
    self = try Self(decodingCall: bytes)
    if try await iterator.next() != nil {
      throw ServiceError.runtime(.unimplemented, "the call takes one request message only")
    }
  }
}

extension RawClientStream {
  /// Sends what the closure writes, then waits for the one reply.
  ///
  /// The call is given up when the closure throws.
  package func onlyReply<Request: ProtobufMessage, Response: ProtobufMessage>(
    after write: (RequestWriter<Request>) async throws -> Void
  ) async throws -> Response {
    do {
      try await write(RequestWriter(self))
    } catch {
      await cancel()
      throw error
    }
    await finishSending()
    var replies = makeAsyncIterator()
    guard let bytes = try await replies.next() else {
      throw ServiceError.runtime(.internalError, "the call ended without a reply")
    }
    let reply = try Response(decodingCall: bytes)
    // The status comes after the message.
    if try await replies.next() != nil {
      throw ServiceError.runtime(.internalError, "the call brought more than one reply")
    }
    return reply
  }
}
