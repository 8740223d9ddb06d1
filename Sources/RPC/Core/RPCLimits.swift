package import HTTP2

/// What one RPC, and one connection of RPCs, may cost us.
package struct RPCLimits: Sendable {
  /// Largest message taken, before any decoding; gRPC's usual default.
  package var maxReceiveMessageBytes = 4 * 1_024 * 1_024
  /// Largest message that a client sends; the frame's length has four bytes.
  package var maxSendMessageBytes = Int(UInt32.max)
  /// Messages of one stream that wait for their handler before the peer is slowed down.
  package var maxBufferedMessages = 16
  /// Bytes of metadata in one block, name + value + 32 each (gRPC's hard limit).
  package var maxMetadataBytes = 16 * 1_024
  /// Deadline of a call whose caller named none and whose method has no default.
  package var defaultTimeout: Duration = .seconds(100)
  /// Longest deadline of a unary call.
  package var maxUnaryTimeout: Duration = .seconds(600)
  /// Taken off the deadline at each hop, so that the inner call gives up first.
  package var hopMargin: Duration = .milliseconds(20)
  /// Bytes of a body that are taken and dropped after an answer that is not gRPC.
  package var skippedBodyBytes = 64 * 1_024
  /// Time that they are taken for.
  package var skippedBodyTime: Duration = .seconds(5)
  /// How often connections look at the clock for the limits in `http2.times`.
  package var timePrecision: Duration = .seconds(1)
  /// How a server keeps its connections.
  package var connection = ConnectionLimits()
  /// HTTP/2's own limits.
  package var http2 = HTTP2Limits()

  package init() {
    http2.maxHeaderListBytes = maxMetadataBytes
    http2.maxConcurrentStreams = 1_000
  }

  /// Changes how long a peer may keep us waiting; the names are those of `HTTP2TimeLimits`.
  package mutating func setTimes(
    header: Duration,
    idle: Duration,
    bodyPause: Duration,
    body: Duration,
    writeStall: Duration
  ) {
    http2.times.header = header
    http2.times.idle = idle
    http2.times.bodyPause = bodyPause
    http2.times.body = body
    http2.times.writeStall = writeStall
  }
}
