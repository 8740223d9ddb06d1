import EventLoop
import Synchronization
import Testing

@testable import RPC

/// Keeps what a channel counts, `method kind` and `method reason` in the order of events.
private final class Recorder: AttemptMetrics {
  let events = Mutex<[String]>([])
  let asked = RPCTests.Counter()

  var seen: [String] { events.withLock { $0 } }

  func counters(of method: MethodDescriptor) -> any AttemptCounters {
    asked.increment()
    return MethodRecorder(recorder: self, method: method.method)
  }
}

private struct MethodRecorder: AttemptCounters {
  let recorder: Recorder
  let method: String

  func attemptStarted(_ kind: AttemptKind) {
    recorder.events.withLock { $0.append("\(method) \(kind.rawValue)") }
  }

  func attemptWithheld(_ reason: WithheldReason) {
    recorder.events.withLock { $0.append("\(method) \(reason.rawValue)") }
  }
}

@Suite("Attempt metrics") struct AttemptMetricsTests {
  private let read = RPCFixture.method("Read", noSideEffects: true, retry: .idempotent)
  private let write = RPCFixture.method("Write")

  /// Runs calls against a peer, and hands out what was counted.
  private func counted(
    _ script: @escaping @Sendable (ScriptedPeer.Request) -> ScriptedPeer.Answer,
    change: (inout Channel.Configuration) -> Void,
    calls: (Channel) async throws -> Void
  ) async throws -> [String] {
    let recorder = Recorder()
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer(script)
      let channel = try fixture.channel(to: peer) {
        $0.patience = .seconds(20)
        $0.attemptMetrics = recorder
        change(&$0)
      }
      try await calls(channel)
      await channel.close()
    }
    return recorder.seen
  }

  @Test("Each call is a first attempt, and its method is looked up once")
  func first() async throws {
    let recorder = Recorder()
    let seen = try await counted { _ in
      .reply([7])
    } change: {
      $0.attemptMetrics = recorder
    } calls: { channel in
      for _ in 0..<3 { _ = try await channel.call(read) }
      _ = try await channel.call(write)
    }
    #expect(seen.isEmpty)
    #expect(recorder.seen == ["Read first", "Read first", "Read first", "Write first"])
    #expect(recorder.asked.value == 2)
  }

  @Test("What no handler has seen is a transparent retry, what the policy repeats a retry")
  func kinds() async throws {
    let seen = try await counted {
      switch $0.number {
      case 1: .reset(.refusedStream)
      case 2: .trailersOnly(.unavailable, [])
      default: .reply([7])
      }
    } change: { _ in
    } calls: { channel in
      _ = try await channel.call(read)
    }
    #expect(seen == ["Read first", "Read transparent_retry", "Read retry"])
  }

  @Test("The attempts of a stream are counted as those of other calls")
  func stream() async throws {
    let upload = RPCFixture.method("Upload", .clientStreaming, retry: .idempotent)
    let seen = try await counted {
      switch $0.number {
      case 1: .reset(.refusedStream)
      case 2: .trailersOnly(.unavailable, [])
      default: .echo
      }
    } change: { _ in
    } calls: { channel in
      let stream = try await channel.openStream(upload, options: .timeout(.seconds(20)))
      try await stream.send(RPCFraming.frame([1]))
      await stream.finishSending()
      for try await _ in stream {}
    }
    #expect(seen == ["Upload first", "Upload transparent_retry", "Upload retry"])
  }

  @Test("Further attempts of a hedged call are hedges; the last failure has used them up")
  func hedges() async throws {
    let seen = try await counted { _ in
      .trailersOnly(.unavailable, [])
    } change: {
      var method = ServiceConfig.MethodConfig()
      method.repetition = .hedging(
        HedgingPolicy(
          maxAttempts: 3,
          hedgingDelay: .seconds(3_600),
          nonFatalStatusCodes: [.unavailable]
        )
      )
      $0.serviceConfig.methods["/"] = method
    } calls: { channel in
      await #expect(throws: ServiceError.self) { try await channel.call(read) }
    }
    #expect(seen == ["Read first", "Read hedge", "Read hedge", "Read attempts"])
  }

  @Test("A failure that is retried no more says why once, another failure says nothing")
  func withheld() async throws {
    let seen = try await counted {
      switch $0.number {
      case 1: .failAfterMessage(.unavailable)
      case 2: .trailersOnly(.unavailable, [("grpc-retry-pushback-ms", "-1")])
      case 3: .trailersOnly(.notFound, [])
      default: .trailersOnly(.unavailable, [])
      }
    } change: {
      $0.serviceConfig.retryThrottling = RetryThrottling(maxTokens: 12, ratioThousandths: 1)
    } calls: { channel in
      for _ in 0..<3 { _ = try? await channel.call(read) }
      // Two of twelve tokens are gone; three attempts are left above the half, the fourth is not.
      for _ in 0..<2 { _ = try? await channel.call(read) }
      _ = try? await channel.call(write)
    }
    #expect(
      seen == [
        "Read first", "Read committed", "Read first", "Read pushback", "Read first", "Read first",
        "Read retry", "Read retry", "Read attempts", "Read first", "Read throttled", "Write first",
      ]
    )
  }

  @Test("A pause that is longer than the time left is counted as the deadline's")
  func deadline() async throws {
    let seen = try await counted { _ in
      .trailersOnly(.unavailable, [("grpc-retry-pushback-ms", "3600000")])
    } change: { _ in
    } calls: { channel in
      _ = try? await channel.call(read)
    }
    #expect(seen == ["Read first", "Read deadline"])
  }
}
