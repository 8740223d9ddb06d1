internal import Logging
package import Net

/// What one service reads beside the common keys.
package protocol ServiceConfiguration: Sendable {
  /// The service's own keys; the common ones are known already.
  static var keys: [ConfigKey] { get }
  /// What ServiceKit starts for the service before it makes its parts.
  static var needs: ServiceNeeds { get }
  /// The services that it calls; each has a key for its address.
  static var peers: [ServiceName] { get }
  /// Reads the values. Problems are noted in the reader, not thrown.
  init(_ reader: inout ConfigurationReader) throws
}

/// What ServiceKit provides to a service, and therefore which common keys are required.
package struct ServiceNeeds: OptionSet, Sendable {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }

  /// A PostgreSQL pool: `DATABASE_URL`.
  package static let postgres = ServiceNeeds(rawValue: 1)
  /// A Redis client: `REDIS_URL`.
  package static let redis = ServiceNeeds(rawValue: 2)
  /// An RPC server: `RPC_LISTEN`.
  package static let rpcServer = ServiceNeeds(rawValue: 4)
  /// Places where a test may kill the process: `FAULT_POINT`.
  package static let faultPoints = ServiceNeeds(rawValue: 8)
}

/// Where the process runs.
package enum DeploymentEnvironment: String, Sendable, CaseIterable {
  case development, production
}

/// The services of the product, by the name in their certificates.
package enum ServiceName: String, Sendable, CaseIterable {
  case edge, auth, jobs, billing, gpu
}

/// The common keys, read.
package struct CommonConfiguration: Sendable {
  /// Development or production.
  package let environment: DeploymentEnvironment
  /// Lowest level that is logged, by swift-log's name.
  package let logLevel: String
  /// Empty when the service has no database.
  package let databaseURL: String
  /// Empty when the service has no Redis.
  package let redisURL: String
  /// Nil when the service has no RPC server.
  package let rpcListen: Endpoint?
  /// Address of the admin server.
  package let adminListen: Endpoint
  /// PEM files of the mutual TLS between services.
  package let tlsCAFile: String
  package let tlsCertificateFile: String
  package let tlsKeyFile: String
  /// Event loops, 0 for one a core.
  package let loops: Int
  /// Time for running work after SIGTERM.
  package let drain: Duration
  /// Where a test wants the process to die; never given in production.
  package let faultPoint: String?
  /// Limits of the RPC server.
  package let rpcLimits: RPCPortLimits
  /// How other services are called.
  package let rpcClients: RPCClientSettings
  /// Addresses of the services that can be called.
  package let targets: [ServiceName: [Endpoint]]

  /// Reads the common keys that `needs` and `peers` ask for.
  package init(
    _ reader: inout ConfigurationReader,
    needs: ServiceNeeds,
    peers: [ServiceName] = []
  ) {
    environment = reader.choice(
      .environment,
      as: DeploymentEnvironment.self,
      standIn: .development
    )
    logLevel = reader.string(.logLevel)
    if Logger.Level(rawValue: logLevel) == nil {
      reader.problem(.logLevel, "unknown level '\(logLevel)'")
    }
    databaseURL = needs.contains(.postgres) ? Self.postgresURL(&reader) : ""
    redisURL = needs.contains(.redis) ? reader.string(.redisURL) : ""
    rpcListen = needs.contains(.rpcServer) ? reader.endpoint(.rpcListen) : nil
    adminListen = reader.endpoint(.adminListen)
    tlsCAFile = reader.string(.tlsCAFile)
    tlsCertificateFile = reader.string(.tlsCertificateFile)
    tlsKeyFile = reader.string(.tlsKeyFile)
    loops = reader.int(.loops, in: 0...256)
    drain = reader.seconds(.drainSeconds, in: 0...600)
    faultPoint = needs.contains(.faultPoints) ? reader.optionalString(.faultPoint) : nil
    if faultPoint != nil, environment == .production {
      reader.problem(.faultPoint, "has no place in production")
    }
    var targets: [ServiceName: [Endpoint]] = [:]
    for peer in peers {
      guard let key = ConfigKey.targets[peer] else { continue }
      targets[peer] = reader.targets(key)
    }
    // A run is known to the one gateway that executes it: a call about it must not reach another.
    if let gateways = targets[.gpu], gateways.count > 1 {
      reader.problem(.gpuTarget, "expected one gateway, not \(gateways.count)")
    }
    self.targets = targets
    rpcLimits = RPCPortLimits(&reader)
    rpcClients = RPCClientSettings(&reader)
  }

  private static func postgresURL(_ reader: inout ConfigurationReader) -> String {
    let url = reader.string(.databaseURL)
    let isPostgres = url.hasPrefix("postgres://") || url.hasPrefix("postgresql://")
    if !url.isEmpty, !isPostgres {
      reader.problem(.databaseURL, "only PostgreSQL is supported: postgres://user@host:port/name")
    }
    return url
  }
}
