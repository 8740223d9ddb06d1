internal import CoreMetrics
internal import EventLoop
internal import Foundation
internal import Logging
internal import Net
internal import RPC
internal import ServiceLifecycle

/// Runs a service from its configuration to the end of its drain.
///
///     configuration → logs, metrics → loops → admin port (live, not ready) → clients, migrations
///     → workers, servers (ready) → SIGTERM or SIGINT → not ready → servers drain → workers end
///
/// Signals are this type's alone. Exit codes: 0 after a drain, 78 for a bad configuration
/// (sysexits.h), 1 for everything else.
package enum Service {
  /// Makes the parts of a service.
  package typealias MakeParts<Configuration> =
    @Sendable (_ app: ServiceContext, _ configuration: Configuration) async throws -> ServiceParts

  private static let badConfiguration: Int32 = 78

  /// Runs until the service has drained, then ends the process.
  package static func run<Configuration: ServiceConfiguration>(
    _ type: Configuration.Type,
    name: ServiceName,
    parts: @escaping MakeParts<Configuration>
  ) async -> Never {
    // A peer that closes must be an error of the write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    let (needs, peers) = (Configuration.needs, Configuration.peers)
    let keys = ConfigKey.common(needs: needs, peers: peers) + Configuration.keys
    if CommandLine.arguments.contains("--help") {
      print(ConfigurationReader.documentation(of: keys))
      exit(0)
    }
    var reader = ConfigurationReader(keys: keys)
    let common = CommonConfiguration(&reader, needs: needs, peers: peers)
    let configuration = try? Configuration(&reader)
    guard let configuration, reader.problems.isEmpty else {
      for problem in reader.problems { printError("\(name.rawValue): \(problem)") }
      exit(badConfiguration)
    }
    do {
      let kit = try Runtime(name: name, common: common)
      kit.logger.info("starting", metadata: ["configuration": .dictionary(reader.logged)])
      let code = await kit.run(needs: needs) { try await parts($0, configuration) }
      exit(code)
    } catch {
      printError("\(name.rawValue): \(error)")
      exit(1)
    }
  }

  private static func printError(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
  }
}

/// Everything of the process that outlives the service's parts.
private struct Runtime: Sendable {
  let name: ServiceName
  let common: CommonConfiguration
  let sink: LogSink
  let logger: Logger
  let registry: PrometheusRegistry
  let group: EventLoopGroup

  init(name: ServiceName, common: CommonConfiguration) throws {
    self.name = name
    self.common = common
    let sink = try LogSink(descriptor: STDOUT_FILENO)
    let level = Logger.Level(rawValue: common.logLevel) ?? .info
    LoggingSystem.bootstrap { _ in
      JSONLogHandler(
        service: name.rawValue,
        sink: sink,
        level: level,
        metadataProvider: LogContext.provider
      )
    }
    let registry = PrometheusRegistry()
    MetricsSystem.bootstrap(registry)
    self.sink = sink
    self.registry = registry
    logger = Logger(label: name.rawValue)
    group = try EventLoopGroup(count: common.loops)
  }

  func run(
    needs: ServiceNeeds,
    parts: @escaping @Sendable (ServiceContext) async throws -> ServiceParts
  ) async -> Int32 {
    var code: Int32 = 0
    do {
      try await runParts(needs: needs, parts)
      logger.info("stopped")
    } catch {
      logger.critical("ended by an error", metadata: ["error": "\(error)"])
      code = 1
    }
    sink.close()
    return code
  }

  private func runParts(
    needs: ServiceNeeds,
    _ makeParts: @escaping @Sendable (ServiceContext) async throws -> ServiceParts
  ) async throws {
    let readiness = Readiness(clock: SystemWallClock())
    let routes = AdminRoutes(
      service: name.rawValue,
      readiness: readiness,
      metrics: registry,
      group: group
    )
    let admin = try await AdminServer.start(on: common.adminListen, group: group, routes: routes)
    let observer = RPCObserver(logger: logger)
    let context = try ServiceContext(
      name: name,
      common: common,
      needs: needs,
      logger: logger,
      group: group,
      observer: observer
    )
    let loop = group.next()
    let parts = try await withTaskExecutorPreference(loop) { try await makeParts(context) }
    var servers = parts.servers
    if let registry = parts.registry, let endpoint = common.rpcListen {
      servers.append(
        RPCServerPart(
          endpoint: endpoint,
          registry: registry,
          common: common,
          group: group,
          observer: observer,
          logger: logger
        )
      )
    }
    let front = FrontServers(
      servers: servers,
      context: context,
      readiness: readiness,
      checks: context.checks + parts.checks
    )
    try await serviceGroup(front, workers: parts.workers).run()
    await admin.stop()
    await context.close()
  }

  /// Stops in reverse order: first the servers, then the workers.
  private func serviceGroup(_ front: FrontServers, workers: [any Worker]) -> ServiceGroup {
    typealias Part = ServiceGroupConfiguration.ServiceConfiguration
    var services = workers.map { worker in
      Part(
        service: SupervisedWorker(worker: worker, loop: group.next(), logger: logger),
        serviceName: worker.name
      )
    }
    services.append(Part(service: front, serviceName: "servers"))
    var configuration = ServiceGroupConfiguration(
      services: services,
      gracefulShutdownSignals: [.sigterm, .sigint],
      logger: logger
    )
    configuration.maximumGracefulShutdownDuration = common.drain + .seconds(4)
    configuration.maximumCancellationDuration = .seconds(4)
    return ServiceGroup(configuration: configuration)
  }
}

/// All servers as one service: ready when the last listens, drained together.
private struct FrontServers: ServiceLifecycle.Service {
  let servers: [any DrainableServer]
  let context: ServiceContext
  let readiness: Readiness
  let checks: [HealthCheck]

  func run() async throws {
    let loop = context.group.next()
    try await withTaskExecutorPreference(loop) {
      for server in servers { try await server.start() }
      readiness.didStart(checks: checks)
      context.logger.info("ready")
      try? await gracefulShutdown()
      context.logger.info("draining")
      readiness.willDrain()
      context.drain.give()
      let limit = context.common.drain
      await withTaskGroup(of: Void.self) { group in
        for server in servers { group.addTask { await server.drain(within: limit) } }
      }
    }
  }
}
