import Crypto
import EventLoop
import Foundation
import HTTP2
import JWTKit
import Logging
import OneShotAPI
import Postgres
import RPC
import ServiceKit
import Synchronization
import Testing

@testable import AuthSvc

/// The whole service on an auth schema of its own, with BillingSvc and Redis played by fakes.
struct AuthFixture {
  let service: AuthService
  let database: PostgresClient
  let clock: ManualWallClock
  let accounts: FakeAccounts
  let revocations: FakeRevocations
  let loop: EventLoop
  let verifier: JWTKeyCollection

  static let password = "correct horse battery"

  /// Runs `body` on a fresh schema.
  static func run(
    connections: Int = 2,
    _ body: @Sendable (AuthFixture) async throws -> Void
  ) async throws {
    let url = try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_DATABASE_URL"],
      "set ONESHOT_TEST_DATABASE_URL, or run make test"
    )
    let schema = "auth_\(UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: ""))"
    let group = try EventLoopGroup(count: 1)
    var configuration = PostgresConfiguration(url: url, searchPath: schema)
    configuration.limits.connectionsPerLoop = connections
    let database = try PostgresClient(
      configuration,
      group: group,
      logger: Logger(label: "auth tests")
    )
    do {
      try await database.migrate(schema: schema, migrations: UserStore.migrations)
      let fixture = try await make(database: database, loop: group.next())
      try await body(fixture)
    } catch {
      Issue.record("the test threw: \(error)")
    }
    _ = try await database.query("DROP SCHEMA \(unescaped: schema) CASCADE")
    await database.shutdown()
    group.stop()
  }

  private static func make(database: PostgresClient, loop: EventLoop) async throws -> AuthFixture {
    let clock = ManualWallClock(Date())
    let key = P256.Signing.PrivateKey()
    let accounts = FakeAccounts()
    let revocations = FakeRevocations()
    let store = UserStore(
      database: database,
      lifetimes: UserStore.Lifetimes(),
      clock: clock
    )
    let service = AuthService(
      store: store,
      erasures: ErasureStore(users: store, tokenLifetime: .seconds(600)),
      passwords: try PasswordHasher(cost: 4, maxRunning: 2),
      tokens: try await TokenIssuer(
        privateKeyPEM: key.pemRepresentation,
        lifetime: .seconds(600),
        clock: clock
      ),
      accounts: accounts,
      revocations: revocations,
      ids: UUIDv7(clock: clock),
      logger: Logger(label: "auth tests")
    )
    let verifier = JWTKeyCollection()
    await verifier.add(ecdsa: try ES256PublicKey(pem: key.publicKey.pemRepresentation))
    return AuthFixture(
      service: service,
      database: database,
      clock: clock,
      accounts: accounts,
      revocations: revocations,
      loop: loop,
      verifier: verifier
    )
  }

  /// The context of a call from the edge.
  func context(_ token: AccessToken? = nil) -> ServerContext {
    var block = HeaderBlock()
    if let token {
      block.append("x-oneshot-user-id", token.sub)
      block.append("x-oneshot-session-id", token.sid)
      block.append("x-oneshot-role", token.role)
    }
    return ServerContext(
      method: Auth.AuthServiceMethods.getMe,
      caller: "edge",
      metadata: Metadata(block),
      deadline: .now + .seconds(10),
      loop: loop
    )
  }

  /// Registers a user with the standard password.
  func register(_ email: String = "user@example.com") async throws -> Auth.RegisterResponse {
    try await service.register(
      Auth.RegisterRequest(email: email, password: Self.password),
      context: context()
    )
  }

  /// Reads an access token as the edge does.
  func token(_ text: String) async throws -> AccessToken {
    try await verifier.verify(text, as: AccessToken.self)
  }

  func count(_ sql: PostgresQuery) async throws -> Int {
    try await database.query(sql)[0].decode(at: 0)
  }
}

/// BillingSvc, present or away.
final class FakeAccounts: AccountSource {
  private let answer = Mutex<AccountSummary?>(
    AccountSummary(credits: 10, subscriptionStatus: "inactive", planCode: "free")
  )

  func goAway() { answer.withLock { $0 = nil } }

  func summary(of user: UserID, options: CallOptions) async throws -> AccountSummary {
    guard let summary = answer.withLock({ $0 }) else {
      throw ServiceError(code: .unavailable, reason: "UNAVAILABLE", message: "away")
    }
    return summary
  }
}

/// Redis, present or away.
final class FakeRevocations: RevocationList {
  private let state = Mutex((isAway: false, sessions: [SessionID]()))

  func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }
  var sessions: [SessionID] { state.withLock { $0.sessions } }

  func add(_ session: SessionID) async throws {
    try state.withLock { state in
      if state.isAway { throw CancellationError() }
      state.sessions.append(session)
    }
  }
}

/// Expects a service error with this reason.
func expectRefusal(
  _ reason: String,
  _ code: StatusCode,
  sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () async throws -> some Any
) async {
  do {
    _ = try await body()
    Issue.record("expected \(reason)", sourceLocation: sourceLocation)
  } catch let error as ServiceError {
    #expect(error.reason == reason, sourceLocation: sourceLocation)
    #expect(error.code == code, sourceLocation: sourceLocation)
  } catch {
    Issue.record("expected \(reason), not \(error)", sourceLocation: sourceLocation)
  }
}
