internal import Foundation
internal import OneShotAPI
internal import RPC
internal import ServiceKit

@main
enum AuthSvcMain {
  static func main() async {
    await Service.run(AuthConfiguration.self, name: .auth) { app, configuration in
      try await app.migrate(UserStore.migrations)
      let store = UserStore(
        database: app.database,
        lifetimes: UserStore.Lifetimes(refreshToken: configuration.refreshTokenLifetime)
      )
      let revocations = RedisRevocationList(
        redis: app.redis,
        tokenLifetime: configuration.accessTokenLifetime
      )
      let erasures = ErasureStore(users: store, tokenLifetime: configuration.accessTokenLifetime)
      let billing = Billing.BillingServiceClient(try app.channel(to: .billing))
      let service = AuthService(
        store: store,
        erasures: erasures,
        passwords: try PasswordHasher(
          maxRunning: ProcessInfo.processInfo.activeProcessorCount
        ),
        tokens: try await TokenIssuer(
          privateKeyPEM: configuration.privateKeyPEM,
          lifetime: configuration.accessTokenLifetime,
          clock: app.clock
        ),
        accounts: BillingAccounts(client: billing),
        revocations: revocations,
        ids: app.ids,
        logger: app.logger
      )
      var registry = MethodRegistry()
      service.register(in: &registry)
      return ServiceParts(
        registry: registry,
        workers: [
          RevocationPublisher(
            store: store,
            list: revocations,
            tokenLifetime: configuration.accessTokenLifetime
          ),
          TokenSweeper(store: store),
          ErasureWorker(
            store: erasures,
            revocations: revocations,
            data: RemoteUserData(
              jobs: Jobs.JobServiceClient(try app.channel(to: .jobs)),
              billing: billing
            ),
            logger: app.logger
          ),
        ]
      )
    }
  }
}
