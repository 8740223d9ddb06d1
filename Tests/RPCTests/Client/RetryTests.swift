import EventLoop
import HTTP2
import Synchronization
import Testing

@testable import RPC

@Suite("Retries of calls") struct RetryTests {
  private let read = RPCFixture.method("Read", noSideEffects: true, retry: .idempotent)
  private let write = RPCFixture.method("Write")

  private func attempts(_ peer: ScriptedPeer) -> [String?] {
    peer.requests.map { $0.head.value(of: "grpc-previous-rpc-attempts") }
  }

  private func fast(_ codes: Set<StatusCode>) -> RetryPolicy {
    RetryPolicy(
      maxAttempts: 4,
      initialBackoff: .milliseconds(1),
      maxBackoff: .milliseconds(2),
      backoffMultiplier: 1,
      retryableStatusCodes: codes
    )
  }

  private func config(_ repetition: ServiceConfig.Repetition, for name: String) -> ServiceConfig {
    var method = ServiceConfig.MethodConfig()
    method.repetition = repetition
    var config = ServiceConfig()
    config.methods[name] = method
    return config
  }

  @Test("An idempotent call is tried again when the connection is cut, and says how often")
  func cut() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { $0.number < 3 ? .drop : .reply([7]) }
      let channel = try fixture.channel(to: peer) { $0.patience = .seconds(20) }
      let reply = try await channel.call(read)
      #expect(reply == [7])
      #expect(attempts(peer) == [nil, "1", "2"])
      await channel.close()
    }
  }

  @Test("Three attempts, then the last failure is the call's")
  func givesUp() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .trailersOnly(.unavailable, []) }
      let channel = try fixture.channel(to: peer)
      let error = await #expect(throws: ServiceError.self) { try await channel.call(read) }
      #expect(error?.code == .unavailable)
      #expect(peer.requests.count == 3)
      await channel.close()
    }
  }

  @Test("A method without a policy is called once")
  func noPolicy() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .trailersOnly(.unavailable, []) }
      let channel = try fixture.channel(to: peer)
      let error = await #expect(throws: ServiceError.self) { try await channel.call(write) }
      #expect(error?.code == .unavailable)
      #expect(peer.requests.count == 1)
      await channel.close()
    }
  }

  @Test("The service config names what is retried: a method before its service before all")
  func configured() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer {
        $0.number < 3 ? .trailersOnly(.aborted, []) : .reply([7])
      }
      let channel = try fixture.channel(to: peer) {
        $0.serviceConfig = config(.retry(fast([.unavailable])), for: "/")
        $0.serviceConfig.methods.merge(
          config(.retry(fast([.aborted])), for: "/test.Service/Write").methods
        ) { $1 }
      }
      let reply = try await channel.call(write)
      #expect(reply == [7])
      #expect(attempts(peer) == [nil, "1", "2"])
      await channel.close()
    }
  }

  @Test("A reply that has begun is not asked for again")
  func committed() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .failAfterMessage(.unavailable) }
      let channel = try fixture.channel(to: peer)
      let error = await #expect(throws: ServiceError.self) { try await channel.call(read) }
      #expect(error?.code == .unavailable)
      #expect(peer.requests.count == 1)
      await channel.close()
    }
  }

  @Test("A call that is cancelled in the pause before a retry sends no other attempt")
  func cancelledInPause() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in
        .trailersOnly(.unavailable, [("grpc-retry-pushback-ms", "5000")])
      }
      let (decided, decision) = AsyncStream.makeStream(of: Void.self)
      let channel = try fixture.channel(to: peer) {
        $0.patience = .seconds(60)
        // Asked for when the pause is chosen.
        $0.random = {
          decision.yield()
          return 0.5
        }
      }
      let call = Task { try await channel.call(read) }
      for await _ in decided where !peer.requests.isEmpty { break }
      call.cancel()
      let error = await #expect(throws: ServiceError.self) { try await call.value }
      #expect(error?.code == .cancelled)
      #expect(peer.requests.count == 1)
      await channel.close()
    }
  }

  @Test("Push-back of the server is obeyed")
  func pushback() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer {
        .trailersOnly(.unavailable, [("grpc-retry-pushback-ms", $0.number == 1 ? "1" : "-1")])
      }
      let channel = try fixture.channel(to: peer)
      await #expect(throws: ServiceError.self) { try await channel.call(read) }
      #expect(peer.requests.count == 2)
      await channel.close()
    }
  }

  @Test("A server that only fails gets a few retries, not three times the calls")
  func throttled() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .trailersOnly(.unavailable, []) }
      let channel = try fixture.channel(to: peer)
      for _ in 0..<50 { _ = try? await channel.call(read) }
      #expect((50...56).contains(peer.requests.count))
      await channel.close()
    }
  }

  @Test("A request too long to be kept is sent once")
  func replayLimit() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .trailersOnly(.unavailable, []) }
      let channel = try fixture.channel(to: peer) { $0.maxReplayBytes = 100 }
      await #expect(throws: ServiceError.self) {
        try await channel.call(read, [UInt8](repeating: 1, count: 100))
      }
      #expect(peer.requests.count == 1)
      await channel.close()
    }
  }

  @Test("A message over the limit for sending is refused before it is sent")
  func sendLimit() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .reply([7]) }
      let channel = try fixture.channel(to: peer) { $0.limits.maxSendMessageBytes = 10 }
      let reply = try await channel.call(read, [UInt8](repeating: 1, count: 10))
      #expect(reply == [7])
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(read, [UInt8](repeating: 1, count: 11))
      }
      #expect(error?.code == .resourceExhausted)
      #expect(peer.requests.count == 1)
      await channel.close()
    }
  }

  @Test("A stream is sent again in full, as long as no reply has begun")
  func stream() async throws {
    let upload = RPCFixture.method("Upload", .clientStreaming, retry: .idempotent)
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer {
        switch $0.number {
        case 1: .reset(.refusedStream)
        case 2: .drop
        default: .echo
        }
      }
      let channel = try fixture.channel(to: peer) { $0.patience = .seconds(20) }
      let stream = try await channel.openStream(upload, options: .timeout(.seconds(20)))
      for byte in [1, 2, 3] as [UInt8] { try await stream.send(framed([byte])) }
      await stream.finishSending()
      var received: [[UInt8]] = []
      for try await message in stream { received.append(message) }
      #expect(received == [[1], [2], [3]])
      #expect(attempts(peer) == [nil, nil, "1"])
      await channel.close()
    }
  }

  @Test("A stream that has sent more than is kept fails with its connection")
  func streamReplayLimit() async throws {
    let upload = RPCFixture.method("Upload", .clientStreaming, retry: .idempotent)
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .trailersOnly(.unavailable, []) }
      let channel = try fixture.channel(to: peer) { $0.maxReplayBytes = 10 }
      let stream = try await channel.openStream(upload, options: .timeout(.seconds(20)))
      for byte in [1, 2, 3] as [UInt8] { try await stream.send(framed([byte])) }
      await stream.finishSending()
      let error = await #expect(throws: ServiceError.self) { for try await _ in stream {} }
      #expect(error?.code == .unavailable)
      #expect(peer.requests.count == 1)
      await channel.close()
    }
  }

  @Test("A hedged call takes the first good reply, and gives the other attempts up")
  func hedging() async throws {
    let cancelled = Signal()
    let calls = Counter()
    var registry = MethodRegistry()
    registry.unary(read) { _, _ in
      guard calls.increment() == 1 else { return framed([7]) }
      let forever = Signal()
      await withTaskCancellationHandler {
        await forever.wait()
      } onCancel: {
        forever.fire()
      }
      cancelled.fire()
      throw CancellationError()
    }
    try await RPCFixture.run(registry) { fixture in
      var configuration = try Channel.Configuration(
        target: "\(fixture.server.address)",
        serverName: "x",
        tls: nil
      )
      let policy = HedgingPolicy(
        maxAttempts: 3,
        hedgingDelay: .milliseconds(5),
        nonFatalStatusCodes: []
      )
      configuration.serviceConfig = config(.hedging(policy), for: "/test.Service/")
      let channel = Channel(configuration, group: fixture.group)
      let reply = try await channel.call(read)
      #expect(reply == [7])
      await cancelled.wait()
      await channel.close()
    }
  }

  @Test("Failures that are not fatal send the next hedge at once")
  func hedgingFailures() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer {
        $0.number < 3 ? .trailersOnly(.unavailable, []) : .reply([7])
      }
      let policy = HedgingPolicy(
        maxAttempts: 3,
        hedgingDelay: .seconds(3_600),
        nonFatalStatusCodes: [.unavailable]
      )
      let channel = try fixture.channel(to: peer) {
        $0.serviceConfig = config(.hedging(policy), for: "/")
      }
      let reply = try await channel.call(read)
      #expect(reply == [7])
      #expect(attempts(peer) == [nil, "1", "2"])
      await channel.close()
    }
  }

  @Test("A method that changes something is never hedged")
  func hedgingUnsafe() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .trailersOnly(.unavailable, []) }
      let policy = HedgingPolicy(
        maxAttempts: 3,
        hedgingDelay: .zero,
        nonFatalStatusCodes: [.unavailable]
      )
      let channel = try fixture.channel(to: peer) {
        $0.serviceConfig = config(.hedging(policy), for: "/")
      }
      await #expect(throws: ServiceError.self) { try await channel.call(write) }
      #expect(peer.requests.count == 1)
      await channel.close()
    }
  }

  @Test("The deadlines and sizes of the service config hold where they are tighter")
  func methodConfig() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer {
        $0.head.value(of: ":path") == write.path ? .silence : .reply([1, 2, 3])
      }
      let channel = try fixture.channel(to: peer) {
        var method = ServiceConfig.MethodConfig()
        method.timeout = .milliseconds(20)
        $0.serviceConfig.methods["/test.Service/Write"] = method
        method.timeout = nil
        method.maxRequestMessageBytes = 5
        method.maxResponseMessageBytes = 2
        $0.serviceConfig.methods["/"] = method
      }
      let late = await #expect(throws: ServiceError.self) { try await channel.call(write) }
      #expect(late?.code == .deadlineExceeded)
      let other = MethodDescriptor(
        service: "other.Service",
        method: "Read",
        kind: .unary,
        allowedCallers: [],
        noSideEffects: false,
        defaultTimeoutMilliseconds: 0,
        requestType: "bytes",
        responseType: "bytes"
      )
      let request = await #expect(throws: ServiceError.self) {
        try await channel.call(other, [1, 2, 3, 4, 5, 6])
      }
      #expect(request?.code == .resourceExhausted)
      let reply = await #expect(throws: ServiceError.self) { try await channel.call(other) }
      #expect(reply?.code == .resourceExhausted)
      await channel.close()
    }
  }
}
