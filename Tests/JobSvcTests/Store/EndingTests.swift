import Foundation
import ServiceKit
import Testing

@testable import JobSvc

@Suite("The end of a job in the store") struct EndingTests {
  @Test("Success stores artifacts, event and the order to capture, once")
  func success() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let id = try await jobs.pendingJob(of: user)
      let job = try #require(try await jobs.claimOne())
      try await jobs.store.note(provider: "embedded", of: job)
      #expect(
        try await jobs.store.advance(job, stage: .running, progress: JobProgress(claimed: 5_000))
      )
      #expect(
        try await jobs.store.advance(job, stage: .uploading, progress: JobProgress(claimed: 100))
      )
      for isFirst in [true, false] {
        #expect(
          try await jobs.store.succeed(
            job,
            artifacts: [JobFixture.artifact],
            provider: "embedded",
            isCacheHit: false
          )
            == isFirst
        )
      }
      #expect(try await jobs.owed(id) == "capture:0")
      let (stored, artifacts) = try #require(try await jobs.store.job(id, of: user))
      #expect((stored.state, stored.progress, stored.creditsCost) == (.succeeded, 10_000, 1))
      #expect(artifacts.map(\.objectKey) == ["artifacts/u/j/result.png"])
      #expect(stored.finishedAt != nil)
      #expect(
        try await jobs.events(id, user) == [
          "queued:queued:0", "progress:preparing:0", "progress:running:5000",
          "progress:uploading:5000", "succeeded:succeeded:10000",
        ]
      )
    }
  }

  @Test("A cache hit costs nothing")
  func cacheHit() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let id = try await jobs.pendingJob(of: user)
      let job = try #require(try await jobs.claimOne())
      _ = try await jobs.store.succeed(
        job,
        artifacts: [JobFixture.artifact],
        provider: "embedded",
        isCacheHit: true
      )
      #expect(try await jobs.owed(id) == "release:3")
      #expect(try await jobs.store.job(id, of: user)?.0.creditsCost == 0)
    }
  }

  @Test("Failure keeps its public reason and orders the release")
  func failure() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let id = try await jobs.pendingJob(of: user)
      let job = try #require(try await jobs.claimOne())
      _ = try await jobs.store.fail(
        job,
        code: "INPUT_INVALID",
        message: "No picture.",
        provider: nil
      )
      let stored = try #require(try await jobs.store.job(id, of: user)?.0)
      #expect((stored.errorCode, stored.errorMessage) == ("INPUT_INVALID", "No picture."))
      #expect(try await jobs.owed(id) == "release:1")
      #expect(try await jobs.events(id, user).last == "failed:failed:0")
    }
  }

  @Test("A job that waited too long fails, with its event and the release of its hold")
  func overdue() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let old = try await jobs.pendingJob(of: user)
      let running = try await jobs.pendingJob()
      let young = try await jobs.pendingJob()
      for (job, hours) in [(old, 21), (running, 21), (young, 19)] {
        _ = try await jobs.database.query(
          """
          UPDATE job SET created_at = now() - make_interval(hours => \(Int32(hours))),
            queue_class = CASE WHEN id = \(running.uuid) THEN 1 ELSE 0 END
          WHERE id = \(job.uuid)
          """
        )
      }
      #expect(try await jobs.claimOne()?.id == running)
      let patience = Reconciler.pendingPatience
      #expect(try await jobs.store.failOverdue(olderThan: patience) == [old])
      #expect(try await jobs.store.failOverdue(olderThan: patience).isEmpty)
      #expect(try await jobs.state(running) == .running)
      #expect(try await jobs.state(young) == .pending)
      #expect(try await jobs.owed(old) == "release:1")
      #expect(try await jobs.events(old, user) == ["queued:queued:0", "failed:failed:0"])
      let stored = try #require(try await jobs.store.job(old, of: user)?.0)
      #expect(stored.errorCode == "PROVIDER_UNAVAILABLE")
    }
  }

  @Test("Cancelling ends a waiting or running job once, and names the run to stop")
  func cancellation() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let waiting = try await jobs.pendingJob(of: user)
      let first = try #require(try await jobs.store.cancel(waiting, of: user))
      #expect((first.isChanged, first.runID) == (true, nil))
      let again = try #require(try await jobs.store.cancel(waiting, of: user))
      #expect(!again.isChanged)
      #expect(try await jobs.owed(waiting) == "release:2")

      let running = try await jobs.pendingJob(of: user)
      let job = try #require(try await jobs.claimOne())
      #expect(try await jobs.store.cancel(running, of: JobFixture.newUser()) == nil)
      #expect(try await jobs.store.cancel(running, of: user)?.runID == job.runID)
      #expect(try await jobs.store.isCancelled(running))
      // A result that comes a moment later changes nothing.
      #expect(
        try await jobs.store.succeed(
          job,
          artifacts: [JobFixture.artifact],
          provider: "p",
          isCacheHit: false
        ) == false
      )
      #expect(try await jobs.state(running) == .cancelled)
      #expect(try await jobs.store.renew([job.lease], lease: .seconds(30)).isEmpty)
      #expect(try await jobs.events(running, user).last == "cancelled:cancelled:0")
    }
  }

  @Test("Of success and cancellation exactly one wins, and billing is told of that one")
  func race() async throws {
    try await JobFixture.run(connections: 4) { jobs in
      for _ in 0..<20 {
        let user = JobFixture.newUser()
        let id = try await jobs.pendingJob(of: user)
        let job = try #require(try await jobs.claimOne())
        async let succeeded = jobs.store.succeed(
          job,
          artifacts: [],
          provider: "p",
          isCacheHit: false
        )
        async let cancelled = jobs.store.cancel(id, of: user)
        let outcome = try await (succeeded, cancelled?.isChanged ?? false)
        #expect(outcome.0 != outcome.1)
        #expect(try await jobs.owed(id) == (outcome.0 ? "capture:0" : "release:2"))
      }
    }
  }

  @Test("A settlement is taken by one worker at a time and ends with its outcome")
  func settlements() async throws {
    try await JobFixture.run(connections: 4) { jobs in
      let id = try await jobs.pendingJob()
      let job = try #require(try await jobs.claimOne())
      _ = try await jobs.store.fail(job, code: "X", message: "x", provider: nil)
      let taken = try await inParallel(count: 8) { _ in try await jobs.settlements.take() }
        .flatMap { $0 }
      #expect(taken.map(\.job) == [id])
      #expect(taken.first?.action == .release)
      try await jobs.settlements.postpone(id, by: .zero)
      #expect(try await jobs.settlements.take().map(\.tries) == [2])
      try await jobs.settlements.settle([(id, "released")])
      try await jobs.settlements.postpone(id, by: .zero)
      #expect(try await jobs.settlements.take().isEmpty)
    }
  }

  @Test("Lists show the newest first, by filter, page and skip; admitting jobs never")
  func lists() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      var ids: [JobID] = []
      for _ in 0..<5 { ids.insert(try await jobs.pendingJob(of: user), at: 0) }
      _ = try await jobs.store.insert(jobs.newJob(of: user))
      _ = try await jobs.pendingJob()
      _ = try await jobs.store.cancel(ids[0], of: user)
      func list(
        state: JobState? = nil,
        after: JobID? = nil,
        skip: Int32 = 0,
        limit: Int32 = 10
      ) async throws -> [JobID] {
        try await jobs.store.jobs(
          JobStore.ListFilter(
            user: user,
            state: state,
            type: nil,
            after: after,
            skip: skip,
            limit: limit
          )
        ).map(\.0.id)
      }
      #expect(try await list() == ids)
      #expect(try await list(after: ids[1], limit: 2) == [ids[2], ids[3]])
      #expect(try await list(skip: 3) == [ids[3], ids[4]])
      #expect(try await list(state: .cancelled) == [ids[0]])
    }
  }

  @Test("A waiting job knows how many are ahead of it")
  func position() async throws {
    try await JobFixture.run { jobs in
      _ = try await jobs.pendingJob(queueClass: 2)
      _ = try await jobs.pendingJob()
      let user = JobFixture.newUser()
      let mine = try await jobs.pendingJob(of: user)
      _ = try await jobs.pendingJob()
      #expect(try await jobs.store.job(mine, of: user)?.0.queuePosition == 2)
    }
  }

  @Test("Uploads are known to their user alone")
  func uploads() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let id = UploadID(jobs.ids.next())
      _ = try await jobs.uploads.insert(
        UploadStore.NewUpload(
          id: id,
          user: user,
          objectKey: "uploads/u/1/me.jpg",
          filename: "me.jpg",
          contentType: "image/jpeg",
          declaredSize: nil,
          lifetime: .seconds(60)
        )
      )
      #expect(try await jobs.uploads.keys(of: [id], user: user) == [id: "uploads/u/1/me.jpg"])
      #expect(try await jobs.uploads.keys(of: [id], user: JobFixture.newUser()).isEmpty)
    }
  }
}
