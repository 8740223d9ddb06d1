internal import HTTPClient
internal import ObjectStore
internal import Postgres
internal import RPC
internal import ServiceKit

/// GPUGateway: providers, image checks, artifacts.
@main
enum GPUGatewayMain {
  static func main() async {
    await Service.run(GatewayConfiguration.self, name: .gpu, parts: parts)
  }

  @Sendable private static func parts(
    _ app: ServiceContext,
    _ configuration: GatewayConfiguration
  ) async throws -> ServiceParts {
    try await app.migrate(ResultCache.migrations)
    let http = HTTPClient(group: app.group)
    let objects = try configuration.store.makeStore(http: http, group: app.group)
    let providers = ProviderRegistry(makeProviders(configuration, app))
    let runs = RunRegistry()
    let pipeline = RunPipeline(
      providers: providers,
      fetcher: InputFetcher(
        objects: objects,
        http: http,
        group: app.group,
        maxBytes: configuration.imageLimits.maximumBytes
      ),
      objects: objects,
      cache: ResultCache(database: app.database),
      limits: configuration.imageLimits,
      logger: app.logger
    )
    let executor = RunExecutor(
      registry: runs,
      pipeline: pipeline,
      group: app.group,
      logger: app.logger
    )
    var registry = MethodRegistry()
    let service = GatewayService(
      runs: runs,
      providers: providers,
      cache: pipeline.cache,
      logger: app.logger
    )
    service.register(in: &registry)
    return ServiceParts(
      registry: registry,
      workers: [executor, CacheCleaner(cache: pipeline.cache)],
      checks: [storageCheck(objects), providerCheck(providers)]
    )
  }

  private static func makeProviders(
    _ configuration: GatewayConfiguration,
    _ app: ServiceContext
  ) -> [any Provider] {
    configuration.providers.map { name in
      switch name {
      case .simulator: SimulatorProvider(settings: configuration.simulator)
      case .embedded:
        EmbeddedProvider(
          path: configuration.workerPath ?? "",
          capacity: configuration.workers,
          limits: configuration.imageLimits,
          group: app.group
        )
      }
    }
  }

  private static func storageCheck(_ objects: any ObjectStore) -> HealthCheck {
    HealthCheck("storage") {
      _ = try await objects.head("health/none")
      return ["access": "ok"]
    }
  }

  private static func providerCheck(_ providers: ProviderRegistry) -> HealthCheck {
    HealthCheck("provider") {
      let statuses = await providers.checkAll()
      guard statuses.contains(where: \.isHealthy) else {
        throw RunFailure.provider("no provider can take work")
      }
      return Dictionary(
        uniqueKeysWithValues: statuses.map { ($0.provider.name, $0.isHealthy ? "ok" : "failing") }
      )
    }
  }
}
