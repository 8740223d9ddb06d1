import Foundation
import ServiceKit
import Testing

@testable import JobSvc

@Suite("Webhook outbox") struct WebhookStoreTests {
  static let wide = WebhookStore.Limits(perOrigin: 100, perUser: 100)
  static let lease: Duration = .seconds(30)

  /// A job that ended and whose notice is due.
  static func ended(
    _ fixture: JobFixture,
    of user: UserID = JobFixture.newUser(),
    url: String = "https://example.com/hook"
  ) async throws -> JobID {
    let job = try await fixture.pendingJob(of: user, webhookURL: url)
    _ = try await fixture.store.cancel(job, of: user)
    return job
  }

  @Test("The notice is written with the end of the job, however the job ends")
  func written() async throws {
    try await JobFixture.run { fixture in
      let webhooks = WebhookStore(database: fixture.database)
      let url = "https://example.com/hook"
      func isEnqueued(_ job: JobID) async throws -> Bool {
        let rows = try await fixture.database.query(
          "SELECT 1 FROM webhook_delivery WHERE job_id = \(job.uuid)"
        )
        return !rows.isEmpty
      }
      let user = JobFixture.newUser()
      _ = try await fixture.pendingJob(of: user, webhookURL: url)
      let first = try #require(try await fixture.claimOne())
      #expect(first.hasWebhook)
      #expect(try await !isEnqueued(first.id))
      let succeeded = try await fixture.store.succeed(
        first,
        artifacts: [JobFixture.artifact],
        provider: "p",
        isCacheHit: false
      )
      #expect(succeeded)
      #expect(try await isEnqueued(first.id))

      _ = try await fixture.pendingJob(of: user, webhookURL: url)
      let second = try #require(try await fixture.claimOne())
      _ = try await fixture.store.fail(second, code: "X", message: "x", provider: nil)
      #expect(try await isEnqueued(second.id))

      let overdue = try await fixture.pendingJob(of: user, webhookURL: url)
      _ = try await fixture.store.failOverdue(olderThan: .zero)
      #expect(try await isEnqueued(overdue))

      // Nobody knows of a job that was never admitted.
      let stale = fixture.newJob(of: user, webhookURL: url)
      _ = try await fixture.store.insert(stale)
      _ = try await fixture.store.giveUpAdmitting(olderThan: .zero)
      #expect(try await !isEnqueued(stale.id))
      #expect(try await webhooks.backlog() == 3)
    }
  }

  @Test("One host and one user have only so many under way")
  func limits() async throws {
    try await JobFixture.run { fixture in
      let webhooks = WebhookStore(database: fixture.database)
      let user = JobFixture.newUser()
      for number in 0..<3 {
        _ = try await Self.ended(fixture, url: "https://one.example/\(number)")
        _ = try await Self.ended(fixture, of: user, url: "https://\(number).example/")
      }
      let limits = WebhookStore.Limits(perOrigin: 1, perUser: 2)
      let first = try await webhooks.claim(10, limits: limits, lease: Self.lease)
      #expect(first.map(\.origin).filter { $0 == "https://one.example" }.count == 1)
      #expect(first.filter { $0.user == user }.count == 2)
      #expect(try await webhooks.claim(10, limits: limits, lease: Self.lease).isEmpty)
      // What has ended makes room.
      let done = try #require(first.first { $0.origin == "https://one.example" })
      #expect(
        try await webhooks.conclude(done, .answered(status: 200, retryAfter: nil), .delivered)
      )
      let second = try await webhooks.claim(10, limits: limits, lease: Self.lease)
      #expect(second.map(\.origin) == ["https://one.example"])
    }
  }

  @Test("Claims at the same moment keep the limits together")
  func concurrentClaims() async throws {
    try await JobFixture.run(connections: 8) { fixture in
      let webhooks = WebhookStore(database: fixture.database)
      for number in 0..<8 {
        _ = try await Self.ended(fixture, url: "https://one.example/\(number)")
      }
      let limits = WebhookStore.Limits(perOrigin: 2, perUser: 8)
      let claimed = try await inParallel(count: 8) { _ in
        try await webhooks.claim(4, limits: limits, lease: Self.lease)
      }
      #expect(claimed.flatMap { $0 }.count == 2)
    }
  }

  @Test("A lease that ran out is taken over, and its holder changes nothing any more")
  func takenOver() async throws {
    try await JobFixture.run { fixture in
      let webhooks = WebhookStore(database: fixture.database)
      _ = try await Self.ended(fixture)
      let lost = try #require(
        try await webhooks.claim(1, limits: Self.wide, lease: .seconds(-1)).first
      )
      let held = try #require(
        try await webhooks.claim(1, limits: Self.wide, lease: Self.lease).first
      )
      #expect((held.id, held.attempt) == (lost.id, 2))
      let late = try await webhooks.conclude(lost, .failed("timed_out"), .dead)
      #expect(!late)
      let concluded = try await webhooks.conclude(
        held,
        .answered(status: 204, retryAfter: nil),
        .delivered
      )
      #expect(concluded)
    }
  }

  @Test("A notice that is being sent is not replayed beside itself")
  func replayUnderWay() async throws {
    try await JobFixture.run { fixture in
      let webhooks = WebhookStore(database: fixture.database)
      let user = JobFixture.newUser()
      let job = try await Self.ended(fixture, of: user)
      _ = try await webhooks.claim(1, limits: Self.wide, lease: Self.lease)
      let replayed = try await webhooks.replay(job, user: user)
      #expect(replayed?.attempts == 1)
      #expect(try await webhooks.claim(1, limits: Self.wide, lease: Self.lease).isEmpty)
    }
  }
}
