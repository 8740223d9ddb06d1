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
  static let keys = [
    headerSeconds, idleSeconds, bodyPauseSeconds, bodySeconds, writeStallSeconds, connections,
    connectionsPerAddress,
  ]

  let header: Duration
  let idle: Duration
  let bodyPause: Duration
  let body: Duration
  let writeStall: Duration
  let connections: Int
  let connectionsPerAddress: Int

  init(_ reader: inout ConfigurationReader) {
    header = reader.seconds(Self.headerSeconds, in: 1...3600)
    idle = reader.seconds(Self.idleSeconds, in: 1...86_400)
    bodyPause = reader.seconds(Self.bodyPauseSeconds, in: 1...3600)
    body = reader.seconds(Self.bodySeconds, in: 1...3600)
    writeStall = reader.seconds(Self.writeStallSeconds, in: 1...3600)
    connections = reader.int(Self.connections, in: 1...1_000_000)
    connectionsPerAddress = reader.int(Self.connectionsPerAddress, in: 1...1_000_000)
  }

  func apply(to configuration: inout RPCServer.Configuration) {
    configuration.limits.setTimes(
      header: header,
      idle: idle,
      bodyPause: bodyPause,
      body: body,
      writeStall: writeStall
    )
    configuration.listener.maxConnections = connections
    configuration.listener.maxConnectionsPerAddress = connectionsPerAddress
  }
}
