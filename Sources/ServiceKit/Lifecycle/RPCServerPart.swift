internal import EventLoop
internal import Logging
internal import Net
internal import RPC
internal import Synchronization

/// The service's RPC server with mutual TLS, health and reflection.
final class RPCServerPart: DrainableServer {
  let name = "rpc"
  private let endpoint: Endpoint
  private let registry: MethodRegistry
  private let common: CommonConfiguration
  private let group: EventLoopGroup
  private let observer: RPCObserver
  private let logger: Logger
  private let health: HealthService
  private let server = Mutex<RPCServer?>(nil)

  init(
    endpoint: Endpoint,
    registry: MethodRegistry,
    common: CommonConfiguration,
    group: EventLoopGroup,
    observer: RPCObserver,
    logger: Logger
  ) {
    let health = HealthService(services: registry.serviceNames)
    var registry = registry
    // The schema is no secret between services, but production shows nothing that it need not.
    registry.addStandardServices(health: health, reflection: common.environment == .development)
    self.endpoint = endpoint
    self.registry = registry
    self.health = health
    self.common = common
    self.group = group
    self.observer = observer
    self.logger = logger
  }

  func start() async throws {
    let tls = try TLSContext.observed(
      .mutual(
        .server,
        certificateFile: common.tlsCertificateFile,
        keyFile: common.tlsKeyFile,
        authorityFile: common.tlsCAFile
      ),
      logger: logger
    )
    var configuration = RPCServer.Configuration(endpoint: endpoint, tls: tls)
    configuration.interceptors = [observer]
    configuration.scope = { context, body in
      try await LogContext.$current.withValue(LogContext(call: context)) { try await body() }
    }
    common.rpcLimits.apply(to: &configuration)
    let ends = ConnectionEnds(port: "rpc", logger: logger)
    configuration.onConnectionEnd = { end in
      ends.connectionEnded(kind: end.kind, reason: end.reason, peer: end.peer, isIdle: end.isIdle)
    }
    configuration.onStreamEnd = { ends.streamEnded(kind: $0) }
    let started = try await RPCServer.start(configuration, registry: registry, group: group)
    logger.info("listening", metadata: ["rpc": "\(started.address)"])
    server.withLock { $0 = started }
    health.setAll(.serving)
  }

  func drain(within limit: Duration) async {
    health.shutDown()
    await server.withLock { $0 }?.drain(timeout: limit)
  }
}
