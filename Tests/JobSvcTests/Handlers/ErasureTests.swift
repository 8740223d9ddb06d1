import Foundation
import OneShotAPI
import Postgres
import Protobuf
import RPC
import ServiceKit
import Testing

@testable import JobSvc

@Suite("Erased users' jobs", .serialized) struct ErasureTests {
  private func erase(_ service: ServiceFixture) async throws -> Bool {
    try await service.jobs.eraseUserData(
      .with { $0.userId = service.user.description },
      options: .timeout(.seconds(10))
    ).done
  }

  /// Repeats the call until it answers that it is done, as AuthSvc does.
  private func eraseAll(_ service: ServiceFixture) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while try await !erase(service) {
      try #require(ContinuousClock.now < deadline, "the erasure did not end")
      _ = try await service.database.query("SELECT pg_sleep(0.01)")
    }
  }

  private func rows(_ table: String, _ service: ServiceFixture) async throws -> Int {
    let count: PostgresQuery = "SELECT count(*) FROM \(unescaped: table)"
    return try await service.database.query(count)[0].decode(at: 0)
  }

  /// An upload whose picture is there.
  private func upload(_ service: ServiceFixture) async throws -> String {
    let place = try await service.uploads.presignUpload(
      .with {
        $0.filename = "me.jpg"
        $0.contentType = "image/jpeg"
      },
      options: service.options()
    )
    let key = String(place.uploadUrl.dropFirst("memory:///".count))
    try await service.objects.put(key, bytes: [1], contentType: "image/jpeg")
    return key
  }

  @Test("Jobs are cancelled and paid back, and go with their pictures once they are settled")
  func everything() async throws {
    try await ServiceFixture.run { service in
      let done = try await service.create().id
      _ = try await service.events(done)
      try await service.eventually { service.billing.holds[done] == .captured }
      let result = "artifacts/\(service.user)/\(done)/result.png"
      try await service.objects.put(result, bytes: [1], contentType: "image/png")
      service.gateway.play(.hang)
      let running = try await service.create(key: "key-1").id
      try await service.eventually { service.gateway.runs.count == 2 }
      // A result of the stopped run, of which nobody was told.
      let untold = "artifacts/\(service.user)/\(running)/result.png"
      try await service.objects.put(untold, bytes: [1], contentType: "image/png")
      let key = try await upload(service)

      let isFirstDone = try await erase(service)
      #expect(!isFirstDone)
      #expect(try await service.objects.head(key) == nil)
      // The address of the upload still works: what it brings is removed, too.
      try await service.objects.put(key, bytes: [2], contentType: "image/jpeg")
      _ = try await service.database.query(
        "UPDATE upload SET expires_at = now() - interval '3 minutes'"
      )
      try await eraseAll(service)
      #expect(service.billing.holds[running] == .released)
      for key in [key, result, untold] { #expect(try await service.objects.head(key) == nil) }
      for table in [
        "job", "job_event", "attempt", "artifact", "settlement", "idempotency_key", "upload",
      ] {
        #expect(try await rows(table, service) == 0)
      }
    }
  }

  @Test("An erased user can store nothing more, and nobody else is touched")
  func refused() async throws {
    try await ServiceFixture.run(workers: false) { service in
      let other = UserID(UUID())
      let kept = try await service.jobs.createJob(
        ServiceFixture.restore,
        options: service.options(as: other)
      )
      try await eraseAll(service)
      for key in [nil, "key-1"] {
        let error = await refusal { try await service.create(key: key) }
        #expect(error?.reason == "INVALID_TOKEN")
      }
      let error = await refusal { try await upload(service) }
      #expect(error?.reason == "INVALID_TOKEN")
      #expect(try await rows("job", service) == 1)
      #expect(try await rows("idempotency_key", service) == 0)
      let job = try await service.jobs.getJob(
        .with { $0.jobId = kept.id },
        options: service.options(as: other)
      )
      #expect(job.job?.status == .pending)
    }
  }

  @Test("A job that is being admitted is given up, and its creator is told that it failed")
  func admitting() async throws {
    try await JobFixture.run { jobs in
      let user = UserID(UUID())
      let job = jobs.newJob(of: user)
      _ = try await jobs.store.insert(job)
      let erasures = ErasureStore(database: jobs.database)
      #expect(try await erasures.begin(user) == [])
      #expect(try await jobs.store.admit(job.id, JobFixture.admission()) == false)
      #expect(try await jobs.owed(job.id) == "release:4")
      #expect(try await erasures.isDone(user) == false)
      #expect(try await erasures.endedJobs(of: user).isEmpty)
      try await jobs.settlements.settle([(job.id, "released")])
      let ended = try await erasures.endedJobs(of: user)
      #expect(ended.map(\.id) == [job.id])
      try await erasures.remove(ended)
      // Transactions of other tests may be older than the erasure.
      let deadline = ContinuousClock.now + .seconds(10)
      while try await !erasures.isDone(user) {
        try #require(ContinuousClock.now < deadline, "the erasure did not end")
        _ = try await jobs.database.query("SELECT pg_sleep(0.01)")
      }
    }
  }
}
