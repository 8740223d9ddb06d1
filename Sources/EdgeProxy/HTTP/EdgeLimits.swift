internal import HTTP2

/// What one client may cost the edge.
struct EdgeLimits: Sendable {
  /// Body of a JSON request whose route names no limit.
  var jsonBodyBytes = 1 << 20
  /// Input of an HTTP/1 connection that waits while a request is served.
  var pipelineBytes = 64 * 1024
  /// Bytes of an upload that wait for the disk before the client is slowed down.
  var uploadBufferBytes = 256 * 1024
  /// Bytes of an answer that wait for a slow client before its producer waits.
  var sendBufferBytes = 256 * 1024

  /// From the connection or the answer before to the end of the next head.
  var headTime: Duration = .seconds(10)
  /// Between two requests of a connection.
  var idleTime: Duration = .seconds(60)
  /// From the head to the end of a body that is collected.
  var bodyTime: Duration = .seconds(60)
  /// How much of a body, and for how long, is taken and dropped after an early answer (HTTP/2).
  var skippedBodyBytes = 1 << 20
  var skippedBodyTime: Duration = .seconds(5)
  /// Longest pause inside a body.
  var bodyPause: Duration = .seconds(30)
  /// Uploads must reach this rate, measured over ``uploadRateTime``.
  var uploadBytesPerSecond = 1024
  var uploadRateTime: Duration = .seconds(10)

  /// An answer is cut off when less than ``writeStallBytes`` of what waits was taken in this time.
  var writeStall: Duration = .seconds(30)
  var writeStallBytes = 1024

  /// How long a drain waits for requests on their way: idle connections end only then.
  var drainGrace: Duration = .milliseconds(500)

  /// Connections in all and from one address.
  var connections = 10_000
  var connectionsPerAddress = 64
  /// Requests of one HTTP/2 connection that are served at once, counting those reset by the client.
  var requestsPerConnection = 100

  /// Silence on a stream of events after which a comment is sent.
  var heartbeat: Duration = .seconds(15)
  /// What HTTP/2 is told of this.
  var http2: HTTP2Limits {
    var limits = HTTP2Limits()
    limits.maxConcurrentStreams = UInt32(requestsPerConnection)
    limits.times.header = headTime
    limits.times.requiresEarlyRequest = true
    limits.times.idle = idleTime
    limits.times.bodyPause = bodyPause
    limits.times.body = bodyTime
    limits.times.writeStall = writeStall
    limits.times.writeStallBytes = writeStallBytes
    return limits
  }

  /// How long the head of a stream waits for its first message, so that an error can be a status.
  var firstEventTime: Duration = .milliseconds(700)
}
