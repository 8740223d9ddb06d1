import Foundation
import ServiceKit
import Testing

@testable import JobSvc

@Suite("Admission in the store") struct AdmissionTests {
  @Test("An admitting job is nobody's; an admitted one is queued with its first event")
  func admission() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let job = jobs.newJob(of: user)
      _ = try await jobs.store.insert(job)
      #expect(try await jobs.state(job.id) == .admitting)
      #expect(try await jobs.store.job(job.id, of: user) == nil)
      #expect(try await jobs.store.cancel(job.id, of: user) == nil)
      #expect(try await jobs.claimOne() == nil)
      #expect(try await jobs.store.admit(job.id, JobFixture.admission()))
      #expect(try await jobs.events(job.id, user) == ["queued:queued:0"])
      #expect(try await jobs.store.job(job.id, of: user)?.0.state == .pending)
      #expect(try await jobs.store.job(job.id, of: JobFixture.newUser()) == nil)
    }
  }

  @Test("A job is admitted once")
  func once() async throws {
    try await JobFixture.run { jobs in
      let job = try await jobs.pendingJob()
      #expect(try await jobs.store.admit(job, JobFixture.admission()) == false)
    }
  }

  @Test("The reconciler gives up stale admissions and leaves young ones alone")
  func staleAdmissions() async throws {
    try await JobFixture.run { jobs in
      let old = jobs.newJob(of: JobFixture.newUser(), key: "old")
      let young = jobs.newJob(of: JobFixture.newUser())
      for job in [old, young] { _ = try await jobs.store.insert(job) }
      _ = try await jobs.database.query(
        "UPDATE job SET created_at = now() - interval '1 minute' WHERE id = \(old.id.uuid)"
      )
      #expect(try await jobs.store.giveUpAdmitting(olderThan: .seconds(15)) == [old.id])
      #expect(try await jobs.state(old.id) == .cancelled)
      #expect(try await jobs.state(young.id) == .admitting)
      // The release is owed, the creator's late admission is refused, the key is free again.
      #expect(try await jobs.owed(old.id) == "release:4")
      #expect(try await jobs.store.admit(old.id, JobFixture.admission()) == false)
      let again = jobs.newJob(of: old.user, key: "old")
      guard case .stored = try await jobs.store.insert(again) else {
        Issue.record("the key was not free")
        return
      }
    }
  }

  @Test("Of the creator and the reconciler exactly one wins a job")
  func race() async throws {
    try await JobFixture.run(connections: 4) { jobs in
      for _ in 0..<20 {
        let job = jobs.newJob(of: JobFixture.newUser())
        _ = try await jobs.store.insert(job)
        async let admitted = jobs.store.admit(job.id, JobFixture.admission())
        async let givenUp = jobs.store.giveUpAdmitting(only: job.id, olderThan: .zero)
        let outcome = try await (admitted, givenUp)
        #expect(outcome.0 == outcome.1.isEmpty)
        #expect(try await jobs.state(job.id) == (outcome.0 ? .pending : .cancelled))
        #expect(try await jobs.owed(job.id) == (outcome.0 ? nil : "release:4"))
      }
    }
  }

  @Test("A refused job vanishes with its key")
  func refusal() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let job = jobs.newJob(of: user, key: "k")
      _ = try await jobs.store.insert(job)
      try await jobs.store.refuse(job.id)
      #expect(try await jobs.state(job.id) == nil)
      guard case .stored = try await jobs.store.insert(jobs.newJob(of: user, key: "k")) else {
        Issue.record("the key was not free")
        return
      }
    }
  }

  @Test("64 requests with one key make one job")
  func idempotencyRace() async throws {
    try await JobFixture.run(connections: 8) { jobs in
      let user = JobFixture.newUser()
      let outcomes = try await inParallel(count: 64) { _ in
        try await jobs.store.insert(jobs.newJob(of: user, key: "k"))
      }
      let stored = outcomes.count { if case .stored = $0 { true } else { false } }
      let waiting = outcomes.count { if case .inProgress = $0 { true } else { false } }
      #expect((stored, waiting) == (1, 63))
      let rows = try await jobs.database.query("SELECT id FROM job")
      #expect(rows.count == 1)
    }
  }

  @Test("A key answers with the first response, and refuses another request")
  func idempotentAnswer() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let job = jobs.newJob(of: user, key: "k")
      _ = try await jobs.store.insert(job)
      _ = try await jobs.store.admit(job.id, JobFixture.admission())
      guard
        case .answered(let response) = try await jobs.store.insert(jobs.newJob(of: user, key: "k"))
      else {
        Issue.record("not answered")
        return
      }
      #expect(response == [3])
      let other = jobs.newJob(of: user, key: "k", fingerprint: 9)
      guard case .keyReused = try await jobs.store.insert(other) else {
        Issue.record("not refused")
        return
      }
      // Another user's key of the same text is another key.
      let stranger = jobs.newJob(of: JobFixture.newUser(), key: "k")
      guard case .stored = try await jobs.store.insert(stranger) else {
        Issue.record("the key is not the user's own")
        return
      }
    }
  }

  @Test("After a day a key is free again")
  func oldKey() async throws {
    try await JobFixture.run { jobs in
      let user = JobFixture.newUser()
      let job = jobs.newJob(of: user, key: "k")
      _ = try await jobs.store.insert(job)
      _ = try await jobs.database.query(
        "UPDATE idempotency_key SET created_at = now() - interval '25 hours'"
      )
      guard case .stored = try await jobs.store.insert(jobs.newJob(of: user, key: "k")) else {
        Issue.record("the key was not free")
        return
      }
      _ = try await jobs.database.query(
        "UPDATE idempotency_key SET created_at = now() - interval '25 hours'"
      )
      try await jobs.store.forgetOldKeys()
      #expect(try await jobs.database.query("SELECT 1 FROM idempotency_key").isEmpty)
    }
  }
}
