internal import OneShotAPI
internal import RPC
internal import ServiceKit

@main
enum BillingSvcMain {
  static func main() async {
    await Service.run(BillingConfiguration.self, name: .billing) { app, configuration in
      try await app.migrate(BillingStore.migrations)
      let store = BillingStore(
        database: app.database,
        settings: BillingStore.Settings(startingCredits: configuration.startingCredits))
      try await store.apply(configuration.overrides)
      let isDevelopment = app.common.environment == .development
      let service = BillingService(
        store: store,
        ids: app.ids,
        allowsMockEvents: isDevelopment && configuration.mock == .mock,
        logger: app.logger)
      var registry = MethodRegistry()
      service.register(in: &registry)
      return ServiceParts(
        registry: registry,
        workers: [HoldExpiry(store: store, logger: app.logger)])
    }
  }
}
