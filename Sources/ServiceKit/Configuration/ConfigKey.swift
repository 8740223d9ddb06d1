/// One configuration key: its name, what it means and what holds without it.
///
/// Names are the environment's: upper case with underscores, the unit last (`DRAIN_SECONDS`).
package struct ConfigKey: Sendable, Hashable {
  /// Name in the environment and in the file.
  package let name: String
  /// One sentence for operators: meaning, unit and range.
  package let summary: String
  /// Text that stands in for a missing value; nil when there is none.
  package let defaultValue: String?
  /// Whether the value is never printed and may be given as `<name>_FILE`.
  package let isSecret: Bool

  /// Declares a key.
  package init(
    _ name: String,
    _ summary: String,
    default defaultValue: String? = nil,
    isSecret: Bool = false
  ) {
    self.name = name
    self.summary = summary
    self.defaultValue = defaultValue
    self.isSecret = isSecret
  }

  /// Key of the file that holds a secret's value.
  var fileKeyName: String { name + "_FILE" }
}

/// The keys that every service reads.
extension ConfigKey {
  package static let environment = ConfigKey(
    "ENVIRONMENT",
    "development or production; some helps exist in development only.",
    default: "development"
  )
  package static let logLevel = ConfigKey(
    "LOG_LEVEL",
    "trace, debug, info, notice, warning, error or critical.",
    default: "info"
  )
  package static let databaseURL = ConfigKey(
    "DATABASE_URL",
    "postgres:// URL with the role of this service.",
    isSecret: true
  )
  package static let redisURL = ConfigKey(
    "REDIS_URL",
    "redis://host:port/number or unix:///path.",
    isSecret: true
  )
  package static let rpcListen = ConfigKey(
    "RPC_LISTEN",
    "host:port on which other services call this one."
  )
  package static let adminListen = ConfigKey(
    "ADMIN_LISTEN",
    "host:port of /healthz, /readyz and /metrics; not for the public."
  )
  package static let tlsCAFile = ConfigKey(
    "TLS_CA_FILE",
    "PEM file of the authority that signs the services' certificates."
  )
  package static let tlsCertificateFile = ConfigKey(
    "TLS_CERT_FILE",
    "PEM file of this service's certificate."
  )
  package static let tlsKeyFile = ConfigKey(
    "TLS_KEY_FILE",
    "PEM file of this service's private key."
  )
  package static let loops = ConfigKey(
    "LOOPS",
    "Event loops, 0 for one a core.",
    default: "0"
  )
  package static let drainSeconds = ConfigKey(
    "DRAIN_SECONDS",
    "How long running work may take to end after SIGTERM.",
    default: "8"
  )
  package static let authTarget = ConfigKey(
    "AUTH_TARGET",
    "host:port[,host:port] of AuthSvc.",
    default: "127.0.0.1:7101"
  )
  package static let billingTarget = ConfigKey(
    "BILLING_TARGET",
    "host:port[,host:port] of BillingSvc.",
    default: "127.0.0.1:7102"
  )
  package static let jobsTarget = ConfigKey(
    "JOBS_TARGET",
    "host:port[,host:port] of JobSvc.",
    default: "127.0.0.1:7103"
  )
  package static let gpuTarget = ConfigKey(
    "GPU_TARGET",
    "host:port of GPUGateway; one only, since each knows its own runs alone.",
    default: "127.0.0.1:7104"
  )
  package static let faultPoint = ConfigKey(
    "FAULT_POINT",
    "Development only: the process kills itself where the point of this name is."
  )

  /// The address of each service that can be called.
  static let targets: [ServiceName: ConfigKey] = [
    .auth: authTarget, .billing: billingTarget, .jobs: jobsTarget, .gpu: gpuTarget,
  ]

  /// All of them, in the order of the documentation.
  package static let common: [ConfigKey] =
    [
      environment, logLevel, databaseURL, redisURL, rpcListen, adminListen, tlsCAFile,
      tlsCertificateFile, tlsKeyFile, loops, drainSeconds, authTarget, billingTarget, jobsTarget,
      gpuTarget, faultPoint,
    ] + RPCPortLimits.keys + RPCClientSettings.keys

  /// Those that mean something to a service; the others are refused as unknown.
  package static func common(needs: ServiceNeeds, peers: [ServiceName]) -> [ConfigKey] {
    let unused: [(Bool, ConfigKey)] =
      [
        (!needs.contains(.postgres), databaseURL), (!needs.contains(.redis), redisURL),
        (!needs.contains(.faultPoints), faultPoint),
      ] + ([rpcListen] + RPCPortLimits.keys).map { (!needs.contains(.rpcServer), $0) }
      + targets.map { (!peers.contains($0.key), $0.value) }
      + RPCClientSettings.keys.map { (peers.isEmpty, $0) }
    let names = Set(unused.filter(\.0).map(\.1.name))
    return common.filter { !names.contains($0.name) }
  }
}
