import Foundation
import OneShotAPI
import RPC
import ServiceKit
import Testing

@testable import JobSvc

@Suite("Webhooks", .serialized) struct WebhookTests {
  /// Runs `body` against a service that may reach the receiver, with a name for the test's requests.
  static func run(
    workers: Bool = true,
    settings: [String: String] = [:],
    hostOverrides: [String: [String]] = [:],
    _ body: @escaping @Sendable (ServiceFixture, WebhookReceiver, String) async throws -> Void
  ) async throws {
    let receiver = try WebhookReceiver.shared()
    try await ServiceFixture.run(
      workers: workers,
      settings: receiver.settings.merging(settings) { _, new in new },
      hostOverrides: hostOverrides
    ) { service in
      try await body(service, receiver, UUID().uuidString)
    }
  }

  @Test("The end of a job is told to its address, signed, in the words of GetJob")
  func delivered() async throws {
    try await Self.run { service, receiver, name in
      let created = try await service.create(ServiceFixture.notifying(receiver.url(name)))
      let request = try #require(
        try await receiver.requests(name, service.http).first
      )
      let key = try await service.jobs.getWebhookSecret(.init(), options: service.options()).key
      #expect(request.isSigned(with: key))
      let stranger = try await service.jobs.getWebhookSecret(
        .init(),
        options: service.options(as: UserID(UUID()))
      ).key
      #expect(!request.isSigned(with: stranger))
      #expect(request.headers["content-type"] == "application/json")
      #expect(request.headers["x-webhook-signature"]?.count == 64)
      let body = try #require(
        try JSONSerialization.jsonObject(with: Data(request.body.utf8)) as? [String: Any]
      )
      #expect(body["type"] as? String == "job.succeeded")
      let data = try #require(body["data"] as? [String: Any])
      #expect(data["id"] as? String == created.id)
      #expect(data["status"] as? String == "succeeded")
      #expect(data["progress"] as? Int == 100)
      #expect(body["timestamp"] as? String == data["finished_at"] as? String)
      let artifacts = try #require(data["artifacts"] as? [[String: Any]])
      #expect((artifacts.first?["output_url"] as? String)?.hasPrefix("memory:///") == true)
      let delivery = try await service.delivery(created.id) { $0.status == .delivered }
      #expect((delivery.id, delivery.attempts, delivery.lastStatus) == (request.id, 1, 200))
    }
  }

  @Test("A job without an address has no notice")
  func silent() async throws {
    try await Self.run { service, _, _ in
      let id = try await service.create().id
      _ = try await service.events(id)
      let error = await refusal {
        try await service.jobs.getWebhook(.with { $0.jobId = id }, options: service.options())
      }
      #expect(error?.code == .notFound)
    }
  }

  @Test("A receiver that fails is asked again, under the same id")
  func retried() async throws {
    try await Self.run { service, receiver, name in
      let url = receiver.url(name, answers: "500,200")
      let id = try await service.create(ServiceFixture.notifying(url)).id
      let requests = try await receiver.requests(name, count: 2, service.http)
      #expect(Set(requests.map(\.id)).count == 1)
      let key = try await service.jobs.getWebhookSecret(.init(), options: service.options()).key
      #expect(requests.allSatisfy { $0.isSigned(with: key) })
      let delivery = try await service.delivery(id) { $0.status == .delivered }
      #expect((delivery.attempts, delivery.lastStatus) == (2, 200))
    }
  }

  @Test("A notice is dead after its last attempt, and a replay sends it again under its id")
  func deadAndReplayed() async throws {
    try await Self.run { service, receiver, name in
      let url = receiver.url(name, answers: "500,503,404,200")
      let id = try await service.create(ServiceFixture.notifying(url)).id
      let dead = try await service.delivery(id) { $0.status == .dead }
      #expect((dead.attempts, dead.lastStatus) == (3, 404))
      let replay = Jobs.ReplayWebhookRequest.with { $0.jobId = id }
      let stranger = await refusal {
        try await service.jobs.replayWebhook(
          replay,
          options: service.options(as: UserID(UUID()))
        )
      }
      #expect(stranger?.code == .notFound)
      _ = try await service.jobs.replayWebhook(replay, options: service.options())
      let requests = try await receiver.requests(name, count: 4, service.http)
      #expect(Set(requests.map(\.id)) == [dead.id])
      let delivered = try await service.delivery(id) { $0.status == .delivered }
      #expect(delivered.attempts == 1)
    }
  }

  @Test("A receiver that is gone is not asked again")
  func gone() async throws {
    try await Self.run { service, receiver, name in
      let url = receiver.url(name, answers: "410,200")
      let id = try await service.create(ServiceFixture.notifying(url)).id
      let dead = try await service.delivery(id) { $0.status == .dead }
      #expect((dead.attempts, dead.lastStatus) == (1, 410))
    }
  }

  @Test("A receiver that hangs costs one slot and keeps nobody waiting")
  func hanging() async throws {
    // Two slots, of which the hanging host may have one; the attempt outlasts the test.
    let settings = ["WEBHOOK_CONCURRENCY": "2", "WEBHOOK_TIMEOUT_SECONDS": "30"]
    try await Self.run(settings: settings) { service, receiver, name in
      let hanging = receiver.url("\(name)-hanging", answers: "hang")
      for _ in 0..<3 { _ = try await service.create(ServiceFixture.notifying(hanging)) }
      _ = try await receiver.requests("\(name)-hanging", service.http)
      for number in 0..<3 {
        let url = receiver.url("\(name)-\(number)", host: WebhookReceiver.otherHost)
        let id = try await service.create(ServiceFixture.notifying(url)).id
        let delivery = try await service.delivery(id) { $0.status == .delivered }
        #expect(delivery.attempts == 1)
      }
      let hung = try await receiver.requests("\(name)-hanging", service.http)
      #expect(hung.count == 1)
    }
  }

  @Test("A redirect is a failed attempt, and what it leads to is not asked")
  func redirected() async throws {
    try await Self.run { service, receiver, name in
      let before = try await receiver.insideConnections(service.http)
      let url = receiver.url(name, answers: "302")
      let id = try await service.create(ServiceFixture.notifying(url)).id
      let dead = try await service.delivery(id) { $0.status == .dead }
      #expect((dead.attempts, dead.lastStatus) == (3, 302))
      #expect(try await receiver.insideConnections(service.http) == before)
    }
  }

  @Test("A name that leads inside at delivery is not connected to")
  func namedInside() async throws {
    let overrides = ["rebound.example": [WebhookReceiver.inside]]
    try await Self.run(hostOverrides: overrides) { service, receiver, _ in
      let before = try await receiver.insideConnections(service.http)
      let url = "https://rebound.example:\(receiver.port)/hook"
      let id = try await service.create(ServiceFixture.notifying(url)).id
      let dead = try await service.delivery(id) { $0.status == .dead }
      #expect((dead.attempts, dead.lastError) == (3, "unreachable"))
      #expect(try await receiver.insideConnections(service.http) == before)
    }
  }

  @Test("Cancelled and failed jobs are told of as well")
  func otherEnds() async throws {
    try await Self.run { service, receiver, name in
      service.gateway.play(.fail(reason: "NO_FACE_FOUND", isRetryable: false))
      let url = receiver.url("\(name)-failed")
      _ = try await service.create(ServiceFixture.notifying(url))
      let failed = try await receiver.requests("\(name)-failed", service.http)
      #expect(failed.first?.body.contains(#""type":"job.failed""#) == true)
    }
    try await Self.run(workers: false) { service, receiver, name in
      let id = try await service.create(ServiceFixture.notifying(receiver.url(name))).id
      let cancel = Jobs.CancelJobRequest.with { $0.jobId = id }
      _ = try await service.jobs.cancelJob(cancel, options: service.options())
      let webhooks = service.system.jobs.webhooks
      let claimed = try await webhooks.claim(
        1,
        limits: .init(perOrigin: 1, perUser: 1),
        lease: .seconds(30)
      )
      await service.system.webhooks.deliver(try #require(claimed.first))
      let cancelled = try await receiver.requests(name, service.http)
      #expect(cancelled.first?.body.contains(#""type":"job.cancelled""#) == true)
    }
  }

  @Test("An address that may not be used is refused before anything is stored")
  func refusedAddress() async throws {
    try await Self.run(workers: false) { service, _, _ in
      let error = await refusal {
        try await service.create(ServiceFixture.notifying("https://10.0.0.1/hook"))
      }
      #expect((error?.code, error?.reason) == (.invalidArgument, "PRIVATE_ADDRESS_REFUSED"))
      let jobs = try await service.database.query("SELECT 1 FROM job")
      #expect(jobs.isEmpty)
    }
  }
}
