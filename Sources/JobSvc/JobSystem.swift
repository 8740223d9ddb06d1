internal import HTTPClient
internal import Logging
internal import ObjectStore
internal import OneShotAPI
internal import Postgres
internal import RPC
internal import Redis
internal import ServiceKit

/// The service's parts, joined.
struct JobSystem: Sendable {
  /// What the parts need from outside.
  struct Dependencies: Sendable {
    let database: PostgresClient
    let redis: RedisClient
    let billing: Channel
    let gateway: Channel
    let objects: any ObjectStore
    let http: HTTPClient
    let clock: any WallClock
    let ids: UUIDv7
    let drain: DrainSignal
    let faults: FaultPoints
    let logger: Logger
  }

  let jobs: JobService
  let uploads: UploadService
  let settlements: SettlementWorker
  let reconciler: Reconciler
  let webhooks: WebhookWorker
  /// All background loops.
  let workers: [any Worker]

  /// Joins the parts.
  init(_ needs: Dependencies, _ configuration: JobConfiguration) {
    let store = JobStore(database: needs.database)
    let relay = EventRelay(hub: EventHub(), redis: needs.redis)
    let dispatcherWake = WakeSignal()
    let settlementWake = WakeSignal()
    let webhookWake = WakeSignal()
    let bell = QueueBell(dispatcher: dispatcherWake, database: needs.database)
    let estimates = DurationEstimates()
    let billing = Billing.BillingServiceClient(needs.billing)
    let gateway = Gpu.GPUGatewayServiceClient(needs.gateway)
    jobs = JobService(
      store: store,
      uploads: UploadStore(database: needs.database),
      webhooks: WebhookStore(database: needs.database),
      erasures: ErasureStore(database: needs.database),
      billing: billing,
      gateway: gateway,
      objects: needs.objects,
      relay: relay,
      bell: bell,
      settlements: settlementWake,
      webhookWake: webhookWake,
      estimates: estimates,
      addresses: InputAddressRule(publicBaseURL: configuration.store.publicBaseURL),
      webhookURLs: configuration.webhooks.urls,
      ids: needs.ids,
      drain: needs.drain,
      settings: JobService.Settings(
        downloadLifetime: configuration.downloadLifetime,
        concurrency: configuration.concurrency,
        webhookKeys: configuration.webhooks.signing
      ),
      logger: needs.logger
    )
    uploads = UploadService(
      store: UploadStore(database: needs.database),
      objects: needs.objects,
      ids: needs.ids,
      settings: UploadService.Settings(
        publicBaseURL: configuration.store.publicBaseURL,
        lifetime: configuration.uploadLifetime,
        maxBytes: configuration.maxInputBytes
      )
    )
    let runner = JobRunner(
      store: store,
      gateway: gateway,
      relay: relay,
      settlements: settlementWake,
      webhooks: webhookWake,
      bell: bell,
      retries: configuration.retries,
      estimates: estimates,
      ids: needs.ids,
      clock: needs.clock,
      logger: needs.logger
    )
    let dispatcher = Dispatcher(
      owner: needs.ids.next(),
      store: store,
      runner: runner,
      wake: dispatcherWake,
      settings: Dispatcher.Settings(
        concurrency: configuration.concurrency,
        lease: configuration.lease
      ),
      logger: needs.logger
    )
    settlements = SettlementWorker(
      store: SettlementStore(database: needs.database),
      billing: billing,
      wake: settlementWake,
      logger: needs.logger
    )
    reconciler = Reconciler(
      store: store,
      relay: relay,
      bell: bell,
      settlements: settlementWake,
      webhooks: webhookWake,
      logger: needs.logger
    )
    webhooks = WebhookWorker(
      store: jobs.webhooks,
      jobs: jobs,
      sender: WebhookSender(
        http: needs.http,
        policy: configuration.webhooks.urls.policy,
        keys: configuration.webhooks.signing,
        clock: needs.clock,
        timeout: configuration.webhooks.timeout
      ),
      configuration: configuration.webhooks,
      wake: webhookWake,
      faults: needs.faults,
      logger: needs.logger
    )
    workers = [
      relay, bell, dispatcher, settlements, reconciler, webhooks,
      QueueGauges(store: store, webhooks: jobs.webhooks),
    ]
  }
}
