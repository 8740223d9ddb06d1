import EventLoop
import Foundation
import HTTPClient
import Logging
import Net
import OneShotAPI
import Postgres
import Protobuf
import RPC
import Redis
import ServiceKit
import Testing

@testable import JobSvc

/// JobSvc as a whole behind its RPC server, between a fake BillingSvc and a fake GPUGateway.
struct ServiceFixture: Sendable {
  let jobs: Jobs.JobServiceClient
  let uploads: Jobs.UploadServiceClient
  let billing: FakeBilling
  let gateway: FakeGateway
  let objects: MemoryStore
  let http: HTTPClient
  let system: JobSystem
  let database: PostgresClient
  let user = UserID(UUID())

  /// Runs `body` against a service with a schema of its own.
  static func run(
    workers: Bool = true,
    settings: [String: String] = [:],
    hostOverrides: [String: [String]] = [:],
    _ body: @escaping @Sendable (ServiceFixture) async throws -> Void
  ) async throws {
    let redisURL = try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_REDIS_URL"],
      "set ONESHOT_TEST_REDIS_URL, or run make test"
    )
    try await JobFixture.run(connections: 4) { store in
      let logger = Logger(label: "jobs tests") { _ in SwiftLogNoOpLogHandler() }
      let billing = FakeBilling()
      let gateway = FakeGateway()
      var billingMethods = MethodRegistry()
      billing.register(in: &billingMethods)
      var gatewayMethods = MethodRegistry()
      gateway.register(in: &gatewayMethods)
      let billingServer = try await start(billingMethods, store.group)
      let gatewayServer = try await start(gatewayMethods, store.group)
      let redis = try RedisClient(url: redisURL, group: store.group, logger: logger)
      let objects = MemoryStore()
      let drain = DrainSignal()
      var client = HTTPClientConfiguration()
      client.hostOverrides = hostOverrides
      let http = HTTPClient(group: store.group, configuration: client)
      let system = JobSystem(
        JobSystem.Dependencies(
          database: store.database,
          redis: redis,
          billing: try channel(to: billingServer, store.group),
          gateway: try channel(to: gatewayServer, store.group),
          objects: objects,
          http: http,
          clock: SystemWallClock(),
          ids: UUIDv7(),
          drain: drain,
          faults: FaultPoints(armed: nil),
          logger: logger
        ),
        try configuration(settings)
      )
      var methods = MethodRegistry()
      system.jobs.register(in: &methods)
      system.uploads.register(in: &methods)
      let server = try await start(methods, store.group)
      let front = try channel(to: server, store.group)
      let fixture = ServiceFixture(
        jobs: Jobs.JobServiceClient(front),
        uploads: Jobs.UploadServiceClient(front),
        billing: billing,
        gateway: gateway,
        objects: objects,
        http: http,
        system: system,
        database: store.database
      )
      try await withThrowingTaskGroup(of: Void.self) { group in
        if workers {
          for worker in system.workers { group.addTask { try? await worker.run() } }
        }
        try await body(fixture)
        drain.give()
        group.cancelAll()
      }
      await front.close()
      for server in [server, billingServer, gatewayServer] { await server.drain(timeout: .zero) }
      await redis.shutdown()
      await http.shutdown()
    }
  }

  private static func start(
    _ methods: MethodRegistry,
    _ group: EventLoopGroup
  ) async throws -> RPCServer {
    try await RPCServer.start(
      RPCServer.Configuration(endpoint: try Endpoint("127.0.0.1:0"), tls: nil),
      registry: methods,
      group: group
    )
  }

  private static func channel(to server: RPCServer, _ group: EventLoopGroup) throws -> Channel {
    Channel(
      try Channel.Configuration(target: "\(server.address)", serverName: "test", tls: nil),
      group: group
    )
  }

  private static func configuration(_ settings: [String: String]) throws -> JobConfiguration {
    var reader = ConfigurationReader(
      keys: JobConfiguration.keys,
      environment: [
        "PUBLIC_BASE_URL": "http://own", "DISK_STORE_ROOT": "/none",
        "STORE_SIGNING_KEY": String(repeating: "k", count: 32), "RETRY_DELAYS": "0,0",
        "HMAC_SECRET": ServiceFixture.webhookSecret,
      ].merging(settings) { _, new in new }
    )
    let configuration = JobConfiguration(&reader)
    try #require(reader.problems.isEmpty, "\(reader.problems)")
    return configuration
  }

  static let webhookSecret = String(repeating: "h", count: 32)

  // MARK: Calls

  /// Options of a call on behalf of `user`, or of the fixture's own.
  func options(
    as user: UserID? = nil,
    key: String? = nil,
    timeout: Duration = .seconds(20)
  ) -> CallOptions {
    var options = CallOptions.timeout(timeout)
    let principal = Principal(userID: (user ?? self.user).uuid, sessionID: UUID(), role: .user)
    for (name, value) in principal.metadataFields { options = options.adding(name, value) }
    if let key { options = options.adding("idempotency-key", key) }
    return options
  }

  static let restore = Jobs.CreateJobRequest.with {
    $0.jobType = "face_restore"
    $0.params = .with { $0.inputUrl = "https://example.com/me.jpg" }
  }

  /// A request for a job whose end is told to `url`.
  static func notifying(_ url: String) -> Jobs.CreateJobRequest {
    var request = restore
    request.webhookUrl = url
    return request
  }

  /// How a job's notice stands, once it meets `condition`; looks for at most a minute.
  func delivery(
    _ job: String,
    until condition: @Sendable (Jobs.WebhookDelivery) -> Bool
  ) async throws -> Jobs.WebhookDelivery {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      let found = try? await jobs.getWebhook(.with { $0.jobId = job }, options: options())
      if let delivery = found?.delivery, condition(delivery) { return delivery }
      try #require(ContinuousClock.now < deadline, "it did not come to pass")
      _ = try await database.query("SELECT pg_sleep(0.01)")
    }
  }

  func create(
    _ request: Jobs.CreateJobRequest = restore,
    key: String? = nil
  ) async throws -> Jobs.CreateJobResponse {
    try await jobs.createJob(request, options: options(key: key))
  }

  /// Follows a job to its end.
  func events(
    _ job: String,
    after: Int64? = nil,
    as user: UserID? = nil
  ) async throws -> [Jobs.JobEvent] {
    let request = Jobs.WatchJobRequest.with {
      $0.jobId = job
      $0.after = after
    }
    var events: [Jobs.JobEvent] = []
    for try await event in try await jobs.watchJob(request, options: options(as: user)) {
      events.append(event)
    }
    return events
  }

  func job(_ id: String) async throws -> Jobs.Job {
    try #require(
      try await jobs.getJob(.with { $0.jobId = id }, options: options()).job
    )
  }

  /// Returns once `condition` holds; wakes with every settlement, for at most ten seconds.
  func eventually(_ condition: @Sendable () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while try !condition() {
      try #require(ContinuousClock.now < deadline, "it did not come to pass")
      _ = try await database.query("SELECT pg_sleep(0.01)")
    }
  }
}

/// The error of a call that must fail.
func refusal(_ body: () async throws -> some Any) async -> ServiceError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error as? ServiceError
  }
}
