import EventLoop
import Foundation
import Logging
import OneShotAPI
import Postgres
import ServiceKit
import Testing

@testable import JobSvc

/// A jobs schema of its own on the test database, gone after the test.
struct JobFixture {
  let store: JobStore
  let settlements: SettlementStore
  let uploads: UploadStore
  let database: PostgresClient
  let group: EventLoopGroup
  let ids = UUIDv7()
  /// This process, as the owner of leases.
  let owner = UUID()

  static let lease: Duration = .seconds(30)

  /// Runs `body` on a fresh schema.
  static func run(
    connections: Int = 2,
    _ body: @escaping @Sendable (JobFixture) async throws -> Void
  ) async throws {
    let url = try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_DATABASE_URL"],
      "set ONESHOT_TEST_DATABASE_URL, or run make test"
    )
    let schema = "jobs_\(UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: ""))"
    let group = try EventLoopGroup(count: 1)
    var configuration = PostgresConfiguration(url: url, searchPath: schema)
    configuration.limits.connectionsPerLoop = connections
    let database = try PostgresClient(
      configuration,
      group: group,
      logger: Logger(label: "jobs tests") { _ in SwiftLogNoOpLogHandler() }
    )
    do {
      try await database.migrate(schema: schema, migrations: JobStore.migrations)
      let fixture = JobFixture(
        store: JobStore(database: database),
        settlements: SettlementStore(database: database),
        uploads: UploadStore(database: database),
        database: database,
        group: group
      )
      try await withTaskExecutorPreference(group.loops[0]) { try await body(fixture) }
    } catch {
      Issue.record("the test threw: \(error)")
    }
    _ = try await database.query("DROP SCHEMA IF EXISTS \(unescaped: schema) CASCADE")
    await database.shutdown()
    group.stop()
  }

  static func newUser() -> UserID { UserID(UUID()) }

  func newJob(
    of user: UserID,
    key: String? = nil,
    fingerprint: UInt8 = 1,
    ownPriority: Int32 = 5,
    webhookURL: String? = nil
  ) -> JobStore.NewJob {
    JobStore.NewJob(
      id: JobID(ids.next()),
      user: user,
      type: .faceRestore,
      params: [],
      ownPriority: ownPriority,
      clientRef: nil,
      webhookURL: webhookURL,
      idempotency: key.map { ($0, [fingerprint]) }
    )
  }

  static func admission(queueClass: Int32 = 0, cost: Int64 = 1) -> JobStore.Admission {
    JobStore.Admission(
      spec: [1],
      policy: [2],
      queueClass: queueClass,
      creditsCost: cost,
      response: [3]
    )
  }

  /// A job in the queue.
  func pendingJob(
    of user: UserID = JobFixture.newUser(),
    queueClass: Int32 = 0,
    ownPriority: Int32 = 5,
    webhookURL: String? = nil
  ) async throws -> JobID {
    let job = newJob(of: user, ownPriority: ownPriority, webhookURL: webhookURL)
    _ = try await store.insert(job)
    #expect(try await store.admit(job.id, Self.admission(queueClass: queueClass)))
    return job.id
  }

  /// The next job of the queue.
  func claimOne() async throws -> ClaimedJob? {
    try await store.claim(limit: 1, owner: owner, lease: Self.lease).first
  }

  func state(_ job: JobID) async throws -> JobState? {
    let rows = try await database.query("SELECT state FROM job WHERE id = \(job.uuid)")
    return try rows.first.flatMap { JobState(rawValue: try $0.decode(at: 0, as: String.self)) }
  }

  /// Lets the lease of a job run out.
  func expireLease(_ job: JobID) async throws {
    _ = try await database.query(
      """
      UPDATE job SET lease_expires_at = now() - interval '1 second' WHERE id = \(job.uuid)
      """
    )
  }

  /// Events of a job as `kind:stage:progress`.
  func events(_ job: JobID, _ user: UserID) async throws -> [String] {
    let found = try #require(
      try await store.events(of: job, user: user, after: 0, limit: 1_000)
    )
    #expect(found.events.map(\.number) == (1...Int64(max(1, found.events.count))).map { $0 })
    return found.events.map { "\($0.kind):\($0.stage.rawValue):\($0.progress)" }
  }

  /// What is owed to billing for a job.
  func owed(_ job: JobID) async throws -> String? {
    let rows = try await database.query(
      "SELECT action || ':' || reason FROM settlement WHERE job_id = \(job.uuid)"
    )
    return try rows.first?.decode(at: 0, as: String.self)
  }

  static let artifact = NewArtifact(
    id: UUID(),
    position: 0,
    artifactType: "image",
    objectKey: "artifacts/u/j/result.png",
    fileSize: 10,
    mimeType: "image/png",
    width: 3,
    height: 4,
    sha256: String(repeating: "ab", count: 32)
  )
}

/// Runs `body` many times at once.
func inParallel<Value: Sendable>(
  count: Int,
  _ body: @escaping @Sendable (Int) async throws -> Value
) async throws -> [Value] {
  try await withThrowingTaskGroup(of: Value.self) { group in
    for index in 0..<count { group.addTask { try await body(index) } }
    return try await group.reduce(into: []) { $0.append($1) }
  }
}
