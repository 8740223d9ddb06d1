/// What one HTTP/2 connection may cost us.
package struct HTTP2Limits: Sendable {
  /// Streams that the peer may have open at once.
  package var maxConcurrentStreams: UInt32 = 100
  /// Bytes that the peer may send on one stream before we consumed them.
  package var streamWindow: UInt32 = 256 * 1_024
  /// The same for all streams of the connection together.
  package var connectionWindow: Int32 = 1_024 * 1_024
  /// Sum of name + value + 32 over all fields of one block (RFC 9113 §6.5.2).
  package var maxHeaderListBytes = 32 * 1_024
  /// Fields in one block.
  package var maxHeaderFields = 100
  /// Blocks over the limits above before the connection ends.
  package var maxOversizedHeaderBlocks = 3
  /// Bytes queued for sending on one stream before its producer has to wait.
  package var sendHighWater = 64 * 1_024
  /// Bytes queued on all streams of the connection before each may queue only `sendShare`.
  package var connectionSendHighWater = 1_024 * 1_024
  /// Bytes that a stream may queue when the connection holds too much.
  package var sendShare = 16 * 1_024
  /// Bytes queued on all streams before requests that come are left waiting: twice the largest message,
  /// so that one message to a slow reader does not hold up the other calls of its connection.
  package var connectionSendLimit = 8 * 1_024 * 1_024
  /// Bytes produced for the socket at once.
  package var fillBytes = 64 * 1_024

  /// How long a peer may keep us waiting.
  package var times = HTTP2TimeLimits()
  /// Frames in `window` that are useful now and then but not in masses: burst sizes.
  package var abuse = AbuseLimits()

  /// What shall go wrong, for tests; whoever sets it keeps it alive as long as the sessions.
  package var faults: Unmanaged<SessionFaults>?

  package init() {}
}

/// How long a peer may keep us waiting; kept with the precision of one look, about a second.
package struct HTTP2TimeLimits: Sendable {
  /// From the start to the peer's SETTINGS, and from the begin of a header block to its end.
  package var header: Duration = .seconds(10)
  /// The first request has to come within `header`, too: right for the public, not for a service
  /// that connects before it is asked for anything.
  package var requiresEarlyRequest = false
  /// Without an open stream.
  package var idle: Duration = .seconds(60)
  /// Pause inside a message or body that the peer owes us.
  package var bodyPause: Duration = .seconds(30)
  /// From the begin to the end of one message or body.
  package var body: Duration = .seconds(60)
  /// With bytes of ours waiting on a stream of which the peer takes less than `writeStallBytes`.
  package var writeStall: Duration = .seconds(30)
  package var writeStallBytes = 1_024
  /// How long the farewell of an ended connection may wait for a peer that reads nothing.
  package var farewell: Duration = .seconds(2)

  package init() {}
}

/// Burst sizes of frames that cost us more than the peer; all refill over `refill`.
///
/// Figures: docs/rpc.md and the attacks in its table.
package struct AbuseLimits: Sendable {
  /// Streams that the peer resets (rapid reset, CVE-2023-44487).
  package var resetsReceived = 200
  /// Streams that the peer makes us reset (CVE-2025-8671).
  package var resetsSent = 100
  /// SETTINGS frames.
  package var settings = 100
  /// PING frames.
  package var pings = 100
  /// DATA frames without bytes and without END_STREAM.
  package var emptyData = 100
  /// PRIORITY and unknown frames, and WINDOW_UPDATE frames beyond those that our data called for.
  package var useless = 10_000
  /// WINDOW_UPDATE frames that one DATA frame of ours calls for at most; gRPC's C core answers a
  /// small reply with two.
  package var windowUpdatesPerData = 10
  /// Time in which an empty bucket is full again.
  package var refill: Duration = .seconds(10)

  package init() {}
}
