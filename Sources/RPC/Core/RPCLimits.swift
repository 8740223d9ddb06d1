package import HTTP2

/// What one RPC, and one connection of RPCs, may cost us.
package struct RPCLimits: Sendable {
  /// Largest message taken, before any decoding; gRPC's usual default.
  package var maxReceiveMessageBytes = 4 * 1_024 * 1_024
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
  /// HTTP/2's own limits.
  package var http2 = HTTP2Limits()

  package init() {
    http2.maxHeaderListBytes = maxMetadataBytes
    http2.maxConcurrentStreams = 1_000
  }
}
