package import EventLoop
internal import HTTP2
internal import Synchronization

/// What a handler knows about the call that it answers.
package final class ServerContext: Sendable {
  package let method: MethodDescriptor
  /// Service named by the caller's certificate; nil on a plain connection.
  package let caller: String?
  package let metadata: Metadata
  /// When the caller stops waiting; the handler's task is cancelled then.
  package let deadline: MonotonicInstant
  /// The loop that the handler runs on.
  package let loop: EventLoop

  private struct Reply {
    var headers: HeaderBlock?
    var trailers: HeaderBlock?
    var compression: Compression?
    var wasRequestCompressed = false
  }

  private let hopMargin: Duration
  private let reply = Mutex(Reply())
  /// Whether the handler has said anything about its reply; of most calls it has not, and nobody
  /// takes the lock.
  private let hasReply = Atomic(false)

  package init(
    method: MethodDescriptor,
    caller: String?,
    metadata: Metadata,
    deadline: MonotonicInstant,
    loop: EventLoop,
    hopMargin: Duration = .milliseconds(20)
  ) {
    self.method = method
    self.caller = caller
    self.metadata = metadata
    self.deadline = deadline
    self.loop = loop
    self.hopMargin = hopMargin
  }

  /// On whose behalf the call is made; nil for an anonymous one.
  package var principal: Principal? { Principal(metadata) }

  /// Identifier of the public request, for logs.
  package var requestID: String? { metadata["x-request-id"] }

  /// W3C trace id of the public request, 32 hex digits: the second part of `traceparent`.
  package var traceID: String? {
    guard let parts = metadata["traceparent"]?.split(separator: "-"), parts.count >= 4 else {
      return nil
    }
    return parts[1].count == 32 ? String(parts[1]) : nil
  }

  /// Address of the public client.
  package var clientAddress: String? { metadata["x-oneshot-client-address"] }

  /// The client's `Idempotency-Key`.
  package var idempotencyKey: String? { metadata["idempotency-key"] }

  /// Where a client resumes a stream of events.
  package var lastEventID: String? { metadata["last-event-id"] }

  /// Options for calls made on behalf of this one: less time, the same identity.
  package var callOptions: CallOptions {
    var options = CallOptions(deadline: deadline - hopMargin)
    for name in Self.propagated {
      if let value = metadata[name] { options.metadata.append((name.description, value)) }
    }
    return options
  }

  private static let propagated: [StaticString] = [
    "x-request-id", "traceparent", "tracestate", "x-oneshot-user-id", "x-oneshot-session-id",
    "x-oneshot-role", "x-oneshot-client-address",
  ]

  /// Adds a field to the reply's headers; no effect once a first message was sent.
  package func setHeader(_ name: String, _ value: String) {
    changeReply { reply in
      var block = reply.headers ?? HeaderBlock()
      block.append(name, value)
      reply.headers = block
    }
  }

  /// What the handler has said about the head of its reply; nil when that was nothing.
  var replyHead: (headers: HeaderBlock?, compression: Compression?)? {
    guard hasReply.load(ordering: .acquiring) else { return nil }
    return reply.withLock { ($0.headers, $0.compression) }
  }

  /// Adds a field to the trailers, which end the reply whatever its status; no effect after the end.
  package func setTrailer(_ name: String, _ value: String) {
    changeReply { reply in
      var block = reply.trailers ?? HeaderBlock()
      block.append(name, value)
      reply.trailers = block
    }
  }

  /// What the handler has said about the end of its reply.
  var replyTrailers: HeaderBlock? {
    guard hasReply.load(ordering: .acquiring) else { return nil }
    return reply.withLock { $0.trailers }
  }

  private func changeReply(_ change: (inout Reply) -> Void) {
    reply.withLock { change(&$0) }
    hasReply.store(true, ordering: .releasing)
  }

  // MARK: Compression

  /// Compresses the reply, each message of a stream, if the caller accepts that.
  ///
  /// No effect once a first message was sent. ``RawResponseWriter/send(_:compress:)`` leaves single
  /// messages out.
  package func compressReply(_ compression: Compression? = .gzip) {
    guard compression?.isAccepted(by: metadata["grpc-accept-encoding"]) != false else { return }
    changeReply { $0.compression = compression }
  }

  /// Whether the message that the handler took last came compressed: for tests and debugging.
  package var wasRequestCompressed: Bool { reply.withLock { $0.wasRequestCompressed } }

  func noteRequest(isCompressed: Bool) {
    reply.withLock { $0.wasRequestCompressed = isCompressed }
  }
}
