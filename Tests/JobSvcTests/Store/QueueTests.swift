import Foundation
import ServiceKit
import Testing

@testable import JobSvc

@Suite("Queue") struct QueueTests {
  @Test("Higher plans go first, then the older job")
  func order() async throws {
    try await JobFixture.run { jobs in
      let first = try await jobs.pendingJob(queueClass: 0)
      let second = try await jobs.pendingJob(queueClass: 0)
      let pro = try await jobs.pendingJob(queueClass: 1)
      var order: [JobID] = []
      while let job = try await jobs.claimOne() { order.append(job.id) }
      #expect(order == [pro, first, second])
    }
  }

  @Test("Users take turns, and a user's own priority orders their jobs")
  func fairness() async throws {
    try await JobFixture.run { jobs in
      let busy = JobFixture.newUser()
      let quiet = JobFixture.newUser()
      let a = try await jobs.pendingJob(of: busy)
      let b = try await jobs.pendingJob(of: busy)
      let urgent = try await jobs.pendingJob(of: busy, ownPriority: 9)
      let c = try await jobs.pendingJob(of: quiet)
      let d = try await jobs.pendingJob(of: quiet)
      let together = try await jobs.store.claim(
        limit: 4,
        owner: jobs.owner,
        lease: JobFixture.lease
      )
      #expect(Set(together.map(\.id)) == [urgent, c, a, d])
      #expect(try await jobs.claimOne()?.id == b)
    }
  }

  @Test("Running jobs count as turns")
  func runningCounts() async throws {
    try await JobFixture.run { jobs in
      let busy = JobFixture.newUser()
      for _ in 0..<3 { _ = try await jobs.pendingJob(of: busy) }
      _ = try await jobs.claimOne()
      let quiet = try await jobs.pendingJob()
      #expect(try await jobs.claimOne()?.id == quiet)
    }
  }

  @Test("Parallel claims never take a job twice")
  func exclusiveClaims() async throws {
    try await JobFixture.run(connections: 8) { jobs in
      for _ in 0..<40 { _ = try await jobs.pendingJob() }
      let claimed = try await inParallel(count: 16) { _ in
        try await jobs.store.claim(limit: 5, owner: UUID(), lease: JobFixture.lease)
      }.flatMap { $0 }
      var rest = 0
      while try await jobs.claimOne() != nil { rest += 1 }
      #expect(Set(claimed.map(\.id)).count == claimed.count)
      #expect(claimed.count + rest == 40)
    }
  }

  @Test("A lease that is renewed holds; one that ran out resumes the same attempt elsewhere")
  func leases() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let id = try await jobs.pendingJob(of: user)
      let first = try #require(try await jobs.claimOne())
      #expect(
        try await jobs.store.renew([first.lease, UUID()], lease: .seconds(30)) == [first.lease]
      )
      #expect(try await jobs.store.reapExpired().isEmpty)
      try await jobs.expireLease(id)
      #expect(try await jobs.store.reapExpired() == [id])
      #expect(try await jobs.store.renew([first.lease], lease: .seconds(30)).isEmpty)
      let second = try #require(try await jobs.claimOne())
      #expect((second.attempt, second.runID) == (first.attempt, first.runID))
      #expect(second.lease != first.lease)
      // The first process is late: nothing it says counts any more.
      #expect(
        try await jobs.store.advance(first, stage: .running, progress: JobProgress(claimed: 1))
          == false
      )
      #expect(
        try await jobs.store.succeed(
          first,
          artifacts: [JobFixture.artifact],
          provider: "p",
          isCacheHit: false
        ) == false
      )
      #expect(try await jobs.store.fail(first, code: "X", message: "x", provider: nil) == false)
      #expect(
        try await jobs.store.retry(first, after: .zero, code: "X", provider: nil) == false
      )
      #expect(try await jobs.state(id) == .running)
      #expect(
        try await jobs.events(id, user) == [
          "queued:queued:0", "progress:preparing:0", "queued:queued:0", "progress:preparing:0",
        ]
      )
    }
  }

  @Test("A job whose processes vanish again and again fails and costs nothing")
  func poison() async throws {
    try await JobFixture.run { jobs in
      let id = try await jobs.pendingJob()
      for _ in 0..<RetryRule.maxLosses {
        _ = try #require(try await jobs.claimOne())
        try await jobs.expireLease(id)
        #expect(try await jobs.store.reapExpired() == [id])
        #expect(try await jobs.state(id) == .pending)
      }
      _ = try #require(try await jobs.claimOne())
      try await jobs.expireLease(id)
      #expect(try await jobs.store.reapExpired() == [id])
      #expect(try await jobs.state(id) == .failed)
      #expect(try await jobs.owed(id) == "release:1")
    }
  }

  @Test("A stopping process hands its jobs back, and that is no loss")
  func handBack() async throws {
    try await JobFixture.run { jobs in
      let id = try await jobs.pendingJob()
      let first = try #require(try await jobs.claimOne())
      #expect(try await jobs.store.handBack(owner: UUID()).isEmpty)
      #expect(try await jobs.store.handBack(owner: jobs.owner) == [id])
      let second = try #require(try await jobs.claimOne())
      #expect(second.attempt == first.attempt)
      let rows = try await jobs.database.query("SELECT losses FROM job")
      #expect(try rows.first?.decode(at: 0, as: Int32.self) == 0)
    }
  }

  @Test("A stopping process hands all its jobs back, however many")
  func handBackOfMany() async throws {
    try await JobFixture.run { jobs in
      var ids: Set<JobID> = []
      for _ in 0..<101 { ids.insert(try await jobs.pendingJob()) }
      let claimed = try await jobs.store.claim(
        limit: 200,
        owner: jobs.owner,
        lease: JobFixture.lease
      )
      #expect(claimed.count == 101)
      #expect(Set(try await jobs.store.handBack(owner: jobs.owner)) == ids)
    }
  }

  @Test("A retried job waits, and its next attempt has another number and avoids the provider")
  func retry() async throws {
    try await JobFixture.run { jobs in
      let id = try await jobs.pendingJob()
      let first = try #require(try await jobs.claimOne())
      #expect(
        try await jobs.store.retry(
          first,
          after: .seconds(60),
          code: "PROVIDER_FAILED",
          provider: "slow"
        )
      )
      #expect(try await jobs.claimOne() == nil)
      _ = try await jobs.database.query("UPDATE job SET available_at = now()")
      let second = try #require(try await jobs.claimOne())
      #expect(second.id == id)
      #expect((first.attempt, second.attempt) == (1, 2))
      #expect(second.failedProviders == ["slow"])
      #expect(second.runID == "\(id)-2")
    }
  }
}
