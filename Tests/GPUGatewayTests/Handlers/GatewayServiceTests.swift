import Foundation
import OneShotAPI
import Protobuf
import RPC
import Testing

@testable import GPUGateway

@Suite("GPUGateway", .serialized) struct GatewayServiceTests {
  @Test("A run fetches, works, stores and reports, step by step")
  func wholeRun() async throws {
    try await GatewayFixture.run { gateway in
      let request = gateway.request(.objectKey(try await gateway.upload()))
      let events = try await gateway.run(request)
      #expect(events.map(\.sequence) == (1...Int64(events.count)).map { $0 })
      guard case .succeeded(let result) = events.last?.event else {
        Issue.record("the run did not succeed: \(events)")
        return
      }
      let artifact = try #require(result.artifacts.first)
      #expect((artifact.width, artifact.mimeType) == (64, "image/png"))
      #expect(artifact.objectKey.hasPrefix(request.policy?.artifactPrefix ?? "-"))
      let stored = try await gateway.objects.get(artifact.objectKey, maxBytes: 1 << 20)
      #expect(Int64(stored.bytes.count) == artifact.fileSize)
      #expect(ContentHash.digest(stored.bytes) == artifact.sha256)
      let stages = Set(
        events.compactMap { event in
          if case .progress(let step) = event.event { step.stage } else { nil }
        }
      )
      #expect(stages == [.preparing, .running, .uploading])
    }
  }

  @Test("The same content and parameters are answered from the cache, for the same user alone")
  func cache() async throws {
    try await GatewayFixture.run { gateway in
      let bytes = SimulatedPicture.png(side: 80, seed: 9)
      let first = try #require(
        try await gateway.result(gateway.request(.objectKey(try await gateway.upload(bytes))))
      )
      #expect(!first.cacheHit)
      let again = try #require(
        try await gateway.result(gateway.request(.objectKey(try await gateway.upload(bytes))))
      )
      #expect(again.cacheHit)
      #expect(again.artifacts == first.artifacts)
      #expect(gateway.providers[0].calls.all.count == 1)
      // Gone artifacts are made again.
      try await gateway.objects.delete(try #require(first.artifacts.first?.objectKey))
      let third = try #require(
        try await gateway.result(gateway.request(.objectKey(try await gateway.upload(bytes))))
      )
      #expect(!third.cacheHit)
    }
  }

  /// Erases the fixture's user; whether no run of theirs goes on.
  private func erase(_ gateway: GatewayFixture) async throws -> Bool {
    try await gateway.client.eraseUserData(
      .with { $0.userId = gateway.user.uuidString.lowercased() },
      options: .timeout(.seconds(5))
    ).done
  }

  @Test("An erasure stops the user's runs and forgets their results")
  func erasure() async throws {
    let provider = ScriptedProvider("only")
    try await GatewayFixture.run(providers: [provider]) { gateway in
      let bytes = SimulatedPicture.png(side: 80, seed: 9)
      let known = try await gateway.result(
        gateway.request(.objectKey(try await gateway.upload(bytes)))
      )
      #expect(known?.cacheHit == false)
      provider.play(.hang)
      let other = SimulatedPicture.png(side: 80, seed: 10)
      let request = gateway.request(.objectKey(try await gateway.upload(other)))
      var failure: Gpu.RunFailed?
      for try await event in try await gateway.client.runJob(
        request,
        options: .timeout(.seconds(20))
      ) {
        if case .progress(let step) = event.event, step.stage == .running {
          _ = try await erase(gateway)
        }
        if case .failed(let end) = event.event { failure = end }
      }
      #expect(failure?.reason == "CANCELLED")
      #expect(try await erase(gateway))
      // What was known is not answered again: the provider is asked, and its result is not kept.
      provider.play(.succeed)
      let late = gateway.request(.objectKey(try await gateway.upload(bytes)))
      let refused = try await gateway.failure(late)
      #expect((refused?.reason, refused?.retryable) == ("CANCELLED", false))
      #expect(provider.calls.all.count == 3)
      let key = (late.policy?.artifactPrefix ?? "") + "result.png"
      #expect(try await gateway.objects.head(key) == nil)
    }
  }

  @Test("A second call with the same name attaches to the same run")
  func attach() async throws {
    try await GatewayFixture.run { gateway in
      let request = gateway.request(.objectKey(try await gateway.upload()))
      let first = try await gateway.run(request)
      let second = try await gateway.run(request)
      #expect(first == second)
      #expect(gateway.providers[0].calls.all.count == 1)
      var rest: [Gpu.RunEvent] = []
      let attach = Gpu.AttachJobRequest.with {
        $0.runId = request.runId
        $0.jobId = request.jobId
        $0.afterSequence = 2
      }
      for try await event in try await gateway.client.attachJob(attach) { rest.append(event) }
      #expect(rest == Array(first.dropFirst(2)))
    }
  }

  @Test("A run of another name or job is unknown")
  func unknownRun() async throws {
    try await GatewayFixture.run { gateway in
      let request = gateway.request(.objectKey(try await gateway.upload()))
      _ = try await gateway.run(request)
      for (run, job) in [("none", request.jobId), (request.runId, UUID().uuidString)] {
        let attach = Gpu.AttachJobRequest.with {
          $0.runId = run
          $0.jobId = job
        }
        await #expect(throws: ServiceError.self) {
          for try await _ in try await gateway.client.attachJob(attach) {}
        }
        let cancel = try await gateway.client.cancelRun(
          .with {
            $0.runId = run
            $0.jobId = job
          }
        )
        #expect(cancel.outcome == .unknownRun)
      }
    }
  }

  @Test("Cancelling stops the work, and is answered truly")
  func cancel() async throws {
    try await GatewayFixture.run { gateway in
      gateway.providers[0].play(.hang)
      let request = gateway.request(.objectKey(try await gateway.upload()))
      let cancel = Gpu.CancelRunRequest.with {
        $0.runId = request.runId
        $0.jobId = request.jobId
      }
      var last: Gpu.RunEvent?
      for try await event in try await gateway.client.runJob(request) {
        last = event
        guard case .progress(let step) = event.event, step.stage == .running else { continue }
        #expect(try await gateway.client.cancelRun(cancel).outcome == .confirmed)
      }
      guard case .failed(let failure) = last?.event else {
        Issue.record("the run did not end")
        return
      }
      #expect((failure.reason, failure.retryable) == ("CANCELLED", false))
      #expect(try await gateway.client.cancelRun(cancel).outcome == .alreadyEnded)
    }
  }

  @Test("A provider that fails is followed by the next; one that failed before comes last")
  func fallback() async throws {
    try await GatewayFixture.run { gateway in
      gateway.providers[0].play(.fail(.provider("broken")))
      let first = gateway.request(.objectKey(try await gateway.upload()))
      #expect(try await gateway.result(first)?.provider == "second")
      gateway.providers[0].play(.succeed)
      let other = gateway.request(
        .objectKey(try await gateway.upload(SimulatedPicture.png(side: 90, seed: 1))),
        avoiding: ["first"]
      )
      #expect(try await gateway.result(other)?.provider == "second")
      #expect(gateway.providers[0].calls.all.count == 1)
    }
  }

  @Test("When all providers fail the run fails retryably; a fault of the input does not")
  func failures() async throws {
    try await GatewayFixture.run { gateway in
      for provider in gateway.providers { provider.play(.fail(.provider("broken"))) }
      let failed = try #require(
        try await gateway.failure(gateway.request(.objectKey(try await gateway.upload())))
      )
      #expect((failed.reason, failed.retryable) == ("PROVIDER_FAILED", true))
      #expect(!failed.message.contains("broken"))
      gateway.providers[0].play(.fail(.input("NO_FACE_FOUND", "No face.")))
      let noFace = try #require(
        try await gateway.failure(gateway.request(.objectKey(try await gateway.upload())))
      )
      #expect((noFace.reason, noFace.retryable) == ("NO_FACE_FOUND", false))
      #expect(gateway.providers[1].calls.all.count == 1)
    }
  }

  @Test("Inputs that are missing, another's, no pictures or inside are refused")
  func badInputs() async throws {
    try await GatewayFixture.run { gateway in
      let user = gateway.user.uuidString.lowercased()
      let stranger = UUID().uuidString.lowercased()
      let theirs = "uploads/\(stranger)/u/me.png"
      try await gateway.objects.put(
        theirs,
        bytes: SimulatedPicture.png(side: 80, seed: 1),
        contentType: "image/png"
      )
      let text = try await gateway.upload(Array("no picture".utf8))
      let large = try await gateway.upload(Array(repeating: 0, count: (1 << 20) + 1))
      let cases: [(Gpu.ImageSource.Location, String)] = [
        (.objectKey("uploads/\(user)/u/none.png"), "UPLOAD_INCOMPLETE"),
        (.objectKey(theirs), "UPLOAD_INCOMPLETE"),
        (.objectKey(text), "INPUT_INVALID"), (.objectKey(large), "INPUT_TOO_LARGE"),
        (.url("http://127.0.0.1:5432/me.jpg"), "PRIVATE_ADDRESS_REFUSED"),
        (.url("http://2130706433/me.jpg"), "PRIVATE_ADDRESS_REFUSED"),
        (.url("http://[::ffff:127.0.0.1]/me.jpg"), "PRIVATE_ADDRESS_REFUSED"),
        (.url("http://169.254.169.254/"), "PRIVATE_ADDRESS_REFUSED"),
        (.url("http://localhost/"), "PRIVATE_ADDRESS_REFUSED"),
        (.url("http://nowhere.invalid/"), "INPUT_UNREACHABLE"),
      ]
      for (location, reason) in cases {
        let failure = try await gateway.failure(gateway.request(location))
        #expect(failure?.reason == reason, "\(location)")
        #expect(failure?.retryable == false, "\(location)")
      }
      #expect(gateway.providers[0].calls.all.isEmpty)
    }
  }

  @Test("Requests without names, pipeline or with another's prefix are refused")
  func badRequests() async throws {
    try await GatewayFixture.run { gateway in
      let good = gateway.request(.objectKey("k"))
      let changes: [@Sendable (inout Gpu.RunJobRequest) -> Void] = [
        { $0.runId = "" }, { $0.jobId = "job_1" }, { $0.userId = "" }, { $0.spec = nil },
        { $0.spec?.pipeline = nil }, { $0.policy?.artifactPrefix = "artifacts/other/" },
      ]
      for change in changes {
        var request = good
        change(&request)
        let made = request
        await #expect(throws: ServiceError.self) { try await gateway.run(made) }
      }
    }
  }

  @Test("Providers are listed with their health")
  func list() async throws {
    try await GatewayFixture.run { gateway in
      let providers = try await gateway.client.listProviders(.init()).providers
      #expect(providers.map(\.name) == ["first", "second"])
      #expect(providers.allSatisfy { $0.healthy && $0.jobTypes.count == 3 })
    }
  }
}
