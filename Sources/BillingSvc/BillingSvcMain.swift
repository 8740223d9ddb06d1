internal import OneShotAPI
internal import RPC
internal import ServiceKit

@main
enum BillingSvcMain {
  static func main() async {
    await Service.run(BillingConfiguration.self, name: .billing) { app, configuration in
      let isDevelopment = app.common.environment == .development
      guard isDevelopment || configuration.mock == .off else { throw MockInProduction() }
      try await app.migrate(BillingStore.migrations)
      let store = BillingStore(
        database: app.database,
        settings: BillingStore.Settings(startingCredits: configuration.startingCredits)
      )
      try await store.apply(configuration.overrides)
      let service = BillingService(
        store: store,
        ids: app.ids,
        allowsMockEvents: configuration.mock == .mock,
        logger: app.logger
      )
      var registry = MethodRegistry()
      service.register(in: &registry)
      return ServiceParts(
        registry: registry,
        workers: [HoldExpiry(store: store, logger: app.logger)]
      )
    }
  }
}

/// Subscriptions that cost nothing have no place in production.
private struct MockInProduction: Error, CustomStringConvertible {
  var description: String { "DEV_BILLING_MODE=mock is refused where ENVIRONMENT is production" }
}
