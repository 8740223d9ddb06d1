package import EventLoop
package import Logging
internal import Net
package import Postgres
package import RPC
package import Redis
internal import Synchronization

/// What ServiceKit gives a service to build its parts from.
package final class ServiceContext: Sendable {
  /// The service's own name, which its certificate bears.
  package let name: ServiceName
  /// The common keys.
  package let common: CommonConfiguration
  /// Writes JSON lines.
  package let logger: Logger
  /// The process' loops.
  package let group: EventLoopGroup
  /// The time of day.
  package let clock: any WallClock
  /// Makes identifiers.
  package let ids: UUIDv7
  /// Places where a test may kill the process; `needs` must contain `.faultPoints` to arm one.
  package let faults: FaultPoints
  /// Given when the service begins to drain.
  package let drain: DrainSignal

  private let databaseClient: PostgresClient?
  private let redisClient: RedisClient?
  private let clientTLS: TLSContext
  private let observer: RPCObserver
  private let channels = Mutex<[ServiceName: Channel]>([:])

  /// How long the start waits for the database.
  private static let migrationPatience: Duration = .seconds(60)

  /// A peer that does not say within this time that it serves is reported as failing.
  private static let peerPatience: Duration = .seconds(1)

  init(
    name: ServiceName,
    common: CommonConfiguration,
    needs: ServiceNeeds,
    logger: Logger,
    group: EventLoopGroup,
    observer: RPCObserver
  ) throws {
    self.name = name
    self.common = common
    self.logger = logger
    self.group = group
    self.observer = observer
    clock = SystemWallClock()
    ids = UUIDv7(clock: clock)
    faults = FaultPoints(armed: common.faultPoint)
    drain = DrainSignal()
    clientTLS = try TLSContext.observed(
      .mutual(
        .client,
        certificateFile: common.tlsCertificateFile,
        keyFile: common.tlsKeyFile,
        authorityFile: common.tlsCAFile
      ),
      logger: logger
    )
    databaseClient =
      needs.contains(.postgres)
      ? try PostgresClient(
        PostgresConfiguration(
          url: common.databaseURL,
          applicationName: "oneshot-\(name.rawValue)",
          searchPath: name.rawValue
        ),
        group: group,
        logger: logger
      ) : nil
    redisClient =
      needs.contains(.redis)
      ? try RedisClient(url: common.redisURL, group: group, logger: logger) : nil
  }

  /// The service's database; `needs` must contain `.postgres`.
  package var database: PostgresClient {
    guard let databaseClient else { preconditionFailure("the service declares no PostgreSQL") }
    return databaseClient
  }

  /// The service's Redis; `needs` must contain `.redis`.
  package var redis: RedisClient {
    guard let redisClient else { preconditionFailure("the service declares no Redis") }
    return redisClient
  }

  /// The channel to another service, made at the first call.
  package func channel(to service: ServiceName) throws -> Channel {
    try channels.withLock { channels in
      if let known = channels[service] { return known }
      let endpoints = common.targets[service] ?? []
      var configuration = try Channel.Configuration(
        target: endpoints.map(\.description).joined(separator: ","),
        serverName: service.rawValue,
        tls: clientTLS
      )
      configuration.interceptors = [observer]
      configuration.attemptMetrics = ClientAttemptMetrics(target: service.rawValue)
      common.rpcClients.apply(to: &configuration)
      let channel = Channel(configuration, group: group)
      channels[service] = channel
      return channel
    }
  }

  /// Brings the service's schema up to date; waits for a database that is not up yet.
  package func migrate(_ migrations: [Migration]) async throws {
    let deadline = ContinuousClock.now + Self.migrationPatience
    while true {
      do throws(PostgresError) {
        try await database.migrate(schema: name.rawValue, migrations: migrations)
        return
      } catch {
        guard error.isUnavailable, ContinuousClock.now < deadline else { throw error }
        logger.warning("waiting for the database", metadata: ["error": "\(error)"])
        try await Task.sleep(for: .seconds(1))
      }
    }
  }

  /// Asks the health service of every service that this one calls, by the channel of its calls.
  package var peerChecks: [HealthCheck] {
    channels.withLock { $0 }.sorted { $0.key.rawValue < $1.key.rawValue }.map { peer, channel in
      HealthCheck(peer.rawValue, isRequired: false) {
        let answer = try await GrpcHealth.HealthClient(channel).check(
          GrpcHealth.HealthCheckRequest(),
          options: .timeout(Self.peerPatience)
        )
        guard answer.status == .serving else { throw PeerNotServing() }
        return ["status": "serving"]
      }
    }
  }

  /// Checks of what every service of this kind depends on, and of the services that it calls.
  var checks: [HealthCheck] {
    var checks = peerChecks
    if let databaseClient {
      checks.append(
        HealthCheck("database") {
          _ = try await databaseClient.query("SELECT 1", idempotent: true)
          return ["connection": "ok", "query_test": "passed"]
        }
      )
    }
    if let redisClient {
      checks.append(
        HealthCheck("redis") {
          _ = try await redisClient.command("PING")
          return ["connection": "ok"]
        }
      )
    }
    return checks
  }

  func close() async {
    let open = channels.withLock { Array($0.values) }
    for channel in open { await channel.close() }
    await databaseClient?.shutdown()
    await redisClient?.shutdown()
  }
}

/// A peer that answers, and takes no calls.
private struct PeerNotServing: Error, CustomStringConvertible {
  var description: String { "does not take calls" }
}
