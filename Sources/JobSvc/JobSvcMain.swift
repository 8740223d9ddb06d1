internal import HTTPClient
internal import ObjectStore
internal import OneShotAPI
internal import RPC
internal import ServiceKit

/// JobSvc: uploads, the queue of jobs, their events.
@main
enum JobSvcMain {
  static func main() async {
    await Service.run(JobConfiguration.self, name: .jobs, parts: parts)
  }

  @Sendable private static func parts(
    _ app: ServiceContext,
    _ configuration: JobConfiguration
  ) async throws -> ServiceParts {
    try await app.migrate(JobStore.migrations)
    let http = HTTPClient(group: app.group)
    let objects = try configuration.store.makeStore(http: http, group: app.group)
    let system = JobSystem(
      JobSystem.Dependencies(
        database: app.database,
        redis: app.redis,
        billing: try app.channel(to: .billing),
        gateway: try app.channel(to: .gpu),
        objects: objects,
        http: http,
        clock: app.clock,
        ids: app.ids,
        drain: app.drain,
        faults: app.faults,
        logger: app.logger
      ),
      configuration
    )
    var registry = MethodRegistry()
    system.jobs.register(in: &registry)
    system.uploads.register(in: &registry)
    return ServiceParts(
      registry: registry,
      workers: system.workers,
      checks: [
        HealthCheck("storage") {
          _ = try await objects.head("health/none")
          return ["access": "ok"]
        }
      ]
    )
  }
}
