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
    let objects = try configuration.store.makeStore(
      http: HTTPClient(group: app.group), group: app.group)
    let system = try JobSystem(app, configuration, objects: objects)
    var registry = MethodRegistry()
    system.jobs.register(in: &registry)
    system.uploads.register(in: &registry)
    return ServiceParts(
      registry: registry, workers: system.workers,
      checks: [
        HealthCheck("storage") {
          _ = try await objects.head("health/none")
          return ["access": "ok"]
        }
      ])
  }
}

/// The service's parts, joined.
struct JobSystem: Sendable {
  let jobs: JobService
  let uploads: UploadService
  let workers: [any Worker]

  /// Joins the parts.
  init(
    _ app: ServiceContext,
    _ configuration: JobConfiguration,
    objects: any ObjectStore
  ) throws {
    let store = JobStore(database: app.database)
    let hub = EventHub()
    let relay = EventRelay(hub: hub, redis: app.redis)
    let dispatcherWake = WakeSignal()
    let settlementWake = WakeSignal()
    let bell = QueueBell(dispatcher: dispatcherWake, database: app.database)
    let estimates = DurationEstimates()
    let billing = Billing.BillingServiceClient(try app.channel(to: .billing))
    let gateway = Gpu.GPUGatewayServiceClient(try app.channel(to: .gpu))
    jobs = JobService(
      store: store, uploads: UploadStore(database: app.database), billing: billing,
      gateway: gateway, objects: objects, hub: hub, relay: relay, bell: bell,
      settlements: settlementWake, estimates: estimates,
      addresses: InputAddressRule(publicBaseURL: configuration.store.publicBaseURL),
      ids: app.ids, drain: app.drain, faults: app.faults,
      settings: JobService.Settings(
        downloadLifetime: configuration.downloadLifetime,
        concurrency: configuration.concurrency),
      logger: app.logger)
    uploads = UploadService(
      store: UploadStore(database: app.database), objects: objects, ids: app.ids,
      settings: UploadService.Settings(
        publicBaseURL: configuration.store.publicBaseURL,
        lifetime: configuration.uploadLifetime, maxBytes: configuration.maxInputBytes))
    let runner = JobRunner(
      store: store, gateway: gateway, relay: relay, settlements: settlementWake, bell: bell,
      retries: configuration.retries, estimates: estimates, ids: app.ids, clock: app.clock,
      faults: app.faults, logger: app.logger)
    workers = [
      relay, bell,
      Dispatcher(
        owner: app.ids.next(), store: store, runner: runner, wake: dispatcherWake, bell: bell,
        relay: relay,
        settings: Dispatcher.Settings(
          concurrency: configuration.concurrency, lease: configuration.lease),
        logger: app.logger),
      SettlementWorker(
        store: SettlementStore(database: app.database), billing: billing, wake: settlementWake,
        faults: app.faults, logger: app.logger),
      Reconciler(
        store: store, relay: relay, bell: bell, settlements: settlementWake, logger: app.logger),
      QueueGauges(store: store),
    ]
  }
}
