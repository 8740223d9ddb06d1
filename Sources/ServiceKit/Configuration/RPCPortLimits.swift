internal import RPC

/// The limits of an RPC port that operators may change; the others stand in docs/rpc.md.
package struct RPCPortLimits: Sendable {
  static let headerSeconds = ConfigKey(
    "RPC_HEADER_SECONDS",
    "Time a caller has for its preface, and for the rest of a header block.",
    default: "10"
  )
  static let idleSeconds = ConfigKey(
    "RPC_IDLE_SECONDS",
    "A connection without calls is closed after this time.",
    default: "60"
  )
  static let bodyPauseSeconds = ConfigKey(
    "RPC_BODY_PAUSE_SECONDS",
    "Longest pause inside a message.",
    default: "30"
  )
  static let bodySeconds = ConfigKey(
    "RPC_BODY_SECONDS",
    "Time from the begin to the end of one message.",
    default: "60"
  )
  static let writeStallSeconds = ConfigKey(
    "RPC_WRITE_STALL_SECONDS",
    "A call is reset when its caller takes less than 1 KiB of what waits for it in this time.",
    default: "30"
  )
  static let connections = ConfigKey(
    "RPC_CONNECTIONS",
    "Open connections of callers.",
    default: "10000"
  )
  static let connectionsPerAddress = ConfigKey(
    "RPC_CONNECTIONS_PER_ADDRESS",
    "Open connections from one address.",
    default: "10000"
  )
  static let callerKeepaliveSeconds = ConfigKey(
    "RPC_CALLER_KEEPALIVE_SECONDS",
    "A caller that is silent for this time is asked for a sign of life; 0 for never.",
    default: "10"
  )
  static let callerKeepaliveTimeoutSeconds = ConfigKey(
    "RPC_CALLER_KEEPALIVE_TIMEOUT_SECONDS",
    "Time to answer that; then the connection is given up.",
    default: "9"
  )
  static let minPingSeconds = ConfigKey(
    "RPC_MIN_PING_SECONDS",
    "A caller that pings more often than this is told too_many_pings.",
    default: "5"
  )
  static let maxAgeSeconds = ConfigKey(
    "RPC_MAX_AGE_SECONDS",
    "Age at which callers are asked to connect anew, give or take a tenth; 0 for never.",
    default: "0"
  )
  static let maxAgeGraceSeconds = ConfigKey(
    "RPC_MAX_AGE_GRACE_SECONDS",
    "Time that calls have to end after that; 0 for as long as they take.",
    default: "0"
  )
  static let keys = [
    headerSeconds, idleSeconds, bodyPauseSeconds, bodySeconds, writeStallSeconds, connections,
    connectionsPerAddress, callerKeepaliveSeconds, callerKeepaliveTimeoutSeconds, minPingSeconds,
    maxAgeSeconds, maxAgeGraceSeconds,
  ]

  let header: Duration
  let idle: Duration
  let bodyPause: Duration
  let body: Duration
  let writeStall: Duration
  let connections: Int
  let connectionsPerAddress: Int
  let connection: ConnectionLimits

  init(_ reader: inout ConfigurationReader) {
    header = reader.seconds(Self.headerSeconds, in: 1...3600)
    idle = reader.seconds(Self.idleSeconds, in: 1...86_400)
    bodyPause = reader.seconds(Self.bodyPauseSeconds, in: 1...3600)
    body = reader.seconds(Self.bodySeconds, in: 1...3600)
    writeStall = reader.seconds(Self.writeStallSeconds, in: 1...3600)
    connections = reader.int(Self.connections, in: 1...1_000_000)
    connectionsPerAddress = reader.int(Self.connectionsPerAddress, in: 1...1_000_000)
    var connection = ConnectionLimits()
    connection.keepaliveTime = reader.optionalSeconds(Self.callerKeepaliveSeconds, upTo: 86_400)
    connection.keepaliveTimeout = reader.seconds(Self.callerKeepaliveTimeoutSeconds, in: 1...3600)
    connection.minPingInterval = reader.seconds(Self.minPingSeconds, in: 0...86_400)
    // Our callers watch connections without calls as well.
    connection.permitsPingsWithoutCalls = true
    connection.maxAge = reader.optionalSeconds(Self.maxAgeSeconds, upTo: 31_536_000)
    connection.maxAgeGrace = reader.optionalSeconds(Self.maxAgeGraceSeconds, upTo: 86_400)
    self.connection = connection
  }

  func apply(to configuration: inout RPCServer.Configuration) {
    configuration.limits.setTimes(
      header: header,
      idle: idle,
      bodyPause: bodyPause,
      body: body,
      writeStall: writeStall
    )
    configuration.limits.connection = connection
    configuration.listener.maxConnections = connections
    configuration.listener.maxConnectionsPerAddress = connectionsPerAddress
  }
}

extension ConfigurationReader {
  /// A number of seconds of which 0 means none.
  fileprivate mutating func optionalSeconds(_ key: ConfigKey, upTo limit: Int) -> Duration? {
    let duration = seconds(key, in: 0...limit)
    return duration > .zero ? duration : nil
  }
}
