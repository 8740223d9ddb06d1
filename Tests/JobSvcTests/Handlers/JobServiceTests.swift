import Foundation
import OneShotAPI
import Protobuf
import RPC
import ServiceKit
import Testing

@testable import JobSvc

@Suite("JobService", .serialized) struct JobServiceTests {
  @Test("A job runs from its creation to its artifact and is paid for once")
  func wholeJob() async throws {
    try await ServiceFixture.run { service in
      let created = try await service.create()
      #expect(
        (created.status, created.jobType, created.creditsCost) == (.pending, "face_restore", 1)
      )
      #expect(created.id == created.jobId)
      let events = try await service.events(created.id)
      #expect(events.map(\.id) == (1...Int64(events.count)).map { $0 })
      #expect(events.map(\.event).first == "queued")
      #expect(events.last?.event == "succeeded")
      #expect(events.last?.artifacts.first?.outputUrl.hasPrefix("memory:///artifacts/") == true)
      #expect(events.map(\.progress) == events.map(\.progress).sorted())
      let job = try await service.job(created.id)
      #expect(
        (job.status, job.progress, job.params?.inputUrl) == (
          .succeeded, 100, "https://example.com/me.jpg"
        )
      )
      #expect(job.artifacts.map(\.width) == [64])
      try await service.eventually { service.billing.holds[created.id] == .captured }
      #expect(service.billing.state.withLock { $0.captures } == 1)
      let run = try #require(service.gateway.runs.first)
      #expect(run.spec?.maxSide == 512)
      #expect(run.policy?.watermark == true)
      #expect(run.runId == "\(created.id)-1")
    }
  }

  @Test("A stream resumes after the event that was seen, also after the end")
  func resume() async throws {
    try await ServiceFixture.run { service in
      let id = try await service.create().id
      let all = try await service.events(id)
      #expect(try await service.events(id, after: 2).map(\.id) == all.dropFirst(2).map(\.id))
      let last = try #require(all.last?.id)
      #expect(try await service.events(id, after: last).isEmpty)
      var options = service.options()
      options = options.adding("last-event-id", "1")
      var resumed: [Int64] = []
      for try await event in try await service.jobs.watchJob(
        .with { $0.jobId = id },
        options: options
      ) {
        resumed.append(event.id)
      }
      #expect(resumed == all.dropFirst().map(\.id))
    }
  }

  @Test("What billing refuses is refused in its words and leaves nothing behind")
  func refused() async throws {
    try await ServiceFixture.run { service in
      service.billing.refuse(
        with: ServiceError(
          code: .resourceExhausted,
          reason: "DAILY_LIMIT_EXCEEDED",
          message: "Daily job limit",
          retryAfter: .seconds(60),
          metadata: ["extras_json": "{}"]
        )
      )
      let error = await refusal { try await service.create(key: "k") }
      #expect(error?.reason == "DAILY_LIMIT_EXCEEDED")
      #expect(error?.retryAfter == .seconds(60))
      #expect(error?.metadata["extras_json"] == "{}")
      let rows = try await service.database.query("SELECT 1 FROM job")
      #expect(rows.isEmpty)
      service.billing.refuse(with: nil)
      // The key was not spent.
      _ = try await service.create(key: "k")
    }
  }

  @Test("Consents, features and size travel to billing")
  func holdRequest() async throws {
    try await ServiceFixture.run(workers: false) { service in
      _ = try await service.create(
        .with {
          $0.jobType = "face_swap"
          $0.params = .with {
            $0.srcFaceUrl = "https://example.com/a"
            $0.targetUrl = "https://example.com/b"
            $0.maxSide = 256
            $0.faceSwapConsent = true
            $0.deepfakeAwarenessConsent = false
            $0.premiumFeature = true
          }
        }
      )
      let hold = try #require(service.billing.state.withLock { $0.holdCalls.first })
      #expect((hold.jobType, hold.maxSide) == ("face_swap", 256))
      #expect(hold.consents == ["face_swap_consent"])
      #expect(hold.features == ["premium_feature"])
    }
  }

  @Test(
    "With billing away a job is not started, and a hold that it may have is released",
    arguments: [StatusCode.unavailable, .resourceExhausted, .permissionDenied]
  )
  func billingAway(code: StatusCode) async throws {
    try await ServiceFixture.run { service in
      service.billing.refuse(with: .runtime(code, "away"))
      let error = await refusal { try await service.create() }
      #expect((error?.code, error?.reason) == (.unavailable, "UNAVAILABLE"))
      let rows = try await service.database.query("SELECT state FROM job")
      #expect(try rows.map { try $0.decode(at: 0, as: String.self) } == ["cancelled"])
      try await service.eventually { service.billing.holds.values.contains(.released) }
      #expect(service.billing.state.withLock { Array($0.reasons.values) } == [.notAdmitted])
      #expect(try await service.jobs.listJobs(.init(), options: service.options()).items.isEmpty)
    }
  }

  @Test("64 requests with one key make one job, one hold and one answer")
  func idempotency() async throws {
    try await ServiceFixture.run { service in
      let answers = try await inParallel(count: 64) { _ in
        do {
          return Result<[UInt8], ServiceError>.success(try await service.create(key: "k").encoded())
        } catch let error as ServiceError {
          return .failure(error)
        }
      }
      var bodies: Set<[UInt8]> = []
      for answer in answers {
        switch answer {
        case .success(let body): bodies.insert(body)
        case .failure(let error): #expect(error.reason == "IDEMPOTENCY_IN_PROGRESS")
        }
      }
      #expect(bodies.count == 1)
      let again = try await service.create(key: "\"k\"")
      #expect(bodies == [again.encoded()])
      #expect(service.billing.state.withLock { $0.holdCalls.count } == 1)
      let other = await refusal {
        try await service.create(
          .with {
            $0.jobType = "upscale"
            $0.params = ServiceFixture.restore.params
          },
          key: "k"
        )
      }
      #expect(other?.reason == "IDEMPOTENCY_KEY_REUSED")
      _ = try await service.events(again.id)
    }
  }

  @Test("Another's job is as absent as one that never was")
  func ownership() async throws {
    try await ServiceFixture.run(workers: false) { service in
      let id = try await service.create().id
      let stranger = service.options(as: UserID(UUID()))
      for name in [id, UUID().uuidString, "job_123"] {
        let get = await refusal {
          try await service.jobs.getJob(.with { $0.jobId = name }, options: stranger)
        }
        let cancel = await refusal {
          try await service.jobs.cancelJob(.with { $0.jobId = name }, options: stranger)
        }
        let watch = await refusal {
          try await service.events(name, as: UserID(UUID()))
        }
        for error in [get, cancel, watch] {
          #expect((error?.code, error?.message) == (.notFound, "Job not found"))
        }
      }
      #expect(try await service.job(id).status == .pending)
    }
  }

  @Test("Nobody's calls are refused")
  func anonymous() async throws {
    try await ServiceFixture.run(workers: false) { service in
      let error = await refusal {
        try await service.jobs.createJob(ServiceFixture.restore, options: .timeout(.seconds(5)))
      }
      #expect(error?.code == .unauthenticated)
    }
  }

  @Test("A run that goes on after its job was cancelled is stopped when it reports")
  func cancelledUnawares() async throws {
    try await ServiceFixture.run { service in
      service.gateway.play(.hang)
      let id = try await service.create().id
      try await service.eventually {
        service.gateway.state.withLock { !$0.hanging.isEmpty }
      }
      // Nobody tells the gateway; the runner learns of it with the next progress.
      let job = JobID(try #require(UUID(uuidString: id)))
      let store = JobStore(database: service.database)
      #expect(try await store.cancel(job, of: service.user)?.isChanged == true)
      #expect(service.gateway.cancelled.isEmpty)
      service.gateway.state.withLock { $0.hanging.removeValue(forKey: "\(id)-1") }?.finish()
      try await service.eventually { service.gateway.cancelled == ["\(id)-1"] }
    }
  }

  @Test("Cancelling a running job stops its run, releases its hold and may be repeated")
  func cancel() async throws {
    try await ServiceFixture.run { service in
      service.gateway.play(.hang)
      let id = try await service.create().id
      try await service.eventually {
        service.gateway.state.withLock { !$0.hanging.isEmpty }
      }
      for _ in 0..<2 {
        let answer = try await service.jobs.cancelJob(
          .with { $0.jobId = id },
          options: service.options()
        )
        #expect(answer.job?.status == .cancelled)
      }
      #expect(try await service.events(id).last?.event == "cancelled")
      try await service.eventually { service.billing.holds[id] == .released }
      #expect(service.gateway.cancelled == ["\(id)-1"])
      #expect(service.billing.state.withLock { $0.reasons[id] } == .cancelled)
    }
  }

  @Test("A retryable failure is tried again as another attempt, which avoids the provider")
  func retries() async throws {
    try await ServiceFixture.run { service in
      service.gateway.play(.fail(reason: "PROVIDER_FAILED", isRetryable: true))
      let id = try await service.create().id
      #expect(try await service.events(id).last?.event == "succeeded")
      #expect(service.gateway.runs.map(\.runId) == ["\(id)-1", "\(id)-2"])
      #expect(service.gateway.runs.last?.avoidProviders == ["fake"])
      try await service.eventually { service.billing.holds[id] == .captured }
    }
  }

  @Test("After the last attempt the job fails with its public reason and costs nothing")
  func lastAttempt() async throws {
    try await ServiceFixture.run { service in
      for _ in 0..<3 { service.gateway.play(.fail(reason: "PROVIDER_FAILED", isRetryable: true)) }
      let id = try await service.create().id
      let last = try #require(try await service.events(id).last)
      #expect((last.event, last.errorCode) == ("failed", "PROVIDER_FAILED"))
      #expect(service.gateway.runs.count == 3)
      try await service.eventually { service.billing.holds[id] == .released }
    }
  }

  @Test("A failure of the input is not tried again")
  func permanentFailure() async throws {
    try await ServiceFixture.run { service in
      service.gateway.play(.fail(reason: "NO_FACE_FOUND", isRetryable: false))
      let id = try await service.create().id
      #expect(try await service.events(id).last?.errorCode == "NO_FACE_FOUND")
      #expect(service.gateway.runs.count == 1)
      #expect(try await service.job(id).errorMessage == "It failed.")
    }
  }

  @Test("A broken stream is attached to again under the same name; that is no attempt")
  func reattach() async throws {
    try await ServiceFixture.run { service in
      service.gateway.play(.breakOff)
      let id = try await service.create().id
      #expect(try await service.events(id).last?.event == "succeeded")
      #expect(service.gateway.runs.map(\.runId) == ["\(id)-1", "\(id)-1"])
      #expect(service.gateway.runs.last?.attempt == 1)
    }
  }

  @Test("An answer from the cache costs nothing")
  func cacheHit() async throws {
    try await ServiceFixture.run { service in
      service.gateway.play(.succeed(isCacheHit: true))
      let id = try await service.create().id
      _ = try await service.events(id)
      #expect(try await service.job(id).creditsCost == 0)
      try await service.eventually { service.billing.holds[id] == .released }
      #expect(service.billing.state.withLock { $0.reasons[id] } == .cacheHit)
    }
  }

  @Test("A late admission of a job that was given up starts nothing")
  func lateAdmission() async throws {
    try await ServiceFixture.run(workers: false) { service in
      // The job of a process that died after its hold.
      let store = service.system.jobs.store
      let job = JobStore.NewJob(
        id: JobID(UUIDv7().next()),
        user: service.user,
        type: .upscale,
        params: [],
        ownPriority: 5
      )
      _ = try await store.insert(job)
      service.billing.state.withLock { $0.holds[job.id.description] = .held }
      try await service.system.reconciler.runOnce(admittingPatience: .zero)
      #expect(try await service.system.settlements.settleDue() == 1)
      #expect(service.billing.holds[job.id.description] == .released)
      #expect(try await store.admit(job.id, JobFixture.admission()) == false)
    }
  }
}
