import EventLoop
import HTTP2
import Net
import Testing

@testable import RPC

/// Accepts connections and never says a word, not even its SETTINGS.
private final class Mute: TransportDelegate {
  func transportDidOpen(_ transport: Transport) {}
  func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {}
  func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {}
  func transportDidReceiveEOF(_ transport: Transport) { transport.close() }
  func transportDidClose(_ transport: Transport, error: NetError?) {}
}

@Suite("No call hangs") struct DeadlineTests {
  private let method = RPCFixture.method("Echo")
  private var short: CallOptions { .timeout(.milliseconds(50)) }

  private static func withoutDefault(_ kind: MethodKind = .unary) -> MethodDescriptor {
    MethodDescriptor(
      service: "test.Service",
      method: "Bare",
      kind: kind,
      allowedCallers: [],
      noSideEffects: false,
      defaultTimeoutMilliseconds: 0,
      requestType: "bytes",
      responseType: "bytes"
    )
  }

  private func expectDeadline(_ call: () async throws -> Void) async {
    let error = await #expect(throws: ServiceError.self) { try await call() }
    #expect(error?.code == .deadlineExceeded)
  }

  @Test("A call without a deadline gets its method's, else the channel's, and says so")
  func defaults() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .reply([7]) }
      let channel = try fixture.channel(to: peer)
      for method in [method, Self.withoutDefault()] {
        _ = try await channel.call(method, [], CallOptions())
      }
      let asked = try Self.timeouts(peer)
      // What has passed since the call began is taken off.
      #expect((Duration.seconds(30)...Duration.seconds(60)).contains(asked[0]))
      #expect((Duration.seconds(70)...Duration.seconds(100)).contains(asked[1]))
      await channel.close()
    }
  }

  @Test("A peer that takes a call and never answers costs the caller its deadline, no more")
  func silence() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .silence }
      let channel = try fixture.channel(to: peer) {
        $0.limits.defaultTimeout = .milliseconds(50)
      }
      await expectDeadline { _ = try await channel.call(method, [], short) }
      await expectDeadline {
        _ = try await channel.call(Self.withoutDefault(), [], CallOptions())
      }
      await channel.close()
    }
  }

  @Test("A stream that gets no answer ends at its deadline, whatever its caller waits for")
  func streams() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { $0.number == 1 ? .reply([7]) : .silence }
      let channel = try fixture.channel(to: peer)
      // The connection stands from here on: to make it is not what the deadline is for.
      _ = try await channel.call(method)
      let bidi = RPCFixture.method("Talk", .bidirectional)
      let reading = try await channel.openStream(bidi, options: short)
      await expectDeadline { for try await _ in reading {} }
      let waiting = try await channel.openStream(bidi, options: short)
      await expectDeadline { _ = try await waiting.headers }
      let ended = await waiting.trailers
      #expect(ended["grpc-status"] == nil)
      await channel.close()
    }
  }

  @Test("A writer whose peer takes nothing ends at the deadline")
  func blockedWriter() async throws {
    try await ClientFixture.run { fixture in
      let upload = RPCFixture.method("Upload", .clientStreaming)
      let vanished = Signal()
      // It gives no windows back once it has vanished.
      let peer = try await fixture.peer { _ in
        vanished.fire()
        return .vanish
      }
      let channel = try fixture.channel(to: peer)
      let unanswered = Task { try await channel.call(method, [], .timeout(.seconds(60))) }
      await vanished.wait()
      unanswered.cancel()
      await #expect(throws: ServiceError.self) { try await unanswered.value }
      let stream = try await channel.openStream(upload, options: .timeout(.milliseconds(200)))
      let chunk = framed([UInt8](repeating: 0, count: 60_000))
      await expectDeadline { while true { try await stream.send(chunk) } }
      await channel.close()
    }
  }

  @Test("A call that waits for a free stream ends at its deadline, and is never sent")
  func waitingForStream() async throws {
    try await ClientFixture.run { fixture in
      let holding = Signal()
      let peer = try await fixture.peer(maxConcurrentStreams: 1) {
        guard $0.number == 2 else { return .reply([7]) }
        holding.fire()
        return .silence
      }
      let channel = try fixture.channel(to: peer)
      // The peer's SETTINGS hold from here on.
      _ = try await channel.call(method)
      let holder = Task { try await channel.call(method, [], .timeout(.seconds(60))) }
      await holding.wait()
      await expectDeadline { _ = try await channel.call(method, [], short) }
      holder.cancel()
      _ = try? await holder.value
      let reply = try await channel.call(method)
      #expect(reply == [7])
      #expect(peer.requests.count == 3)
      #expect(peer.connections == 1)
      await channel.close()
    }
  }

  @Test("A peer that accepts and never speaks HTTP/2 is a failed connection, and no call waits on")
  func mute() async throws {
    try await ClientFixture.run { fixture in
      let listener = try await Listener.start(
        on: .host("127.0.0.1", port: 0),
        group: fixture.group,
        distribution: .leastConnections,
        tls: nil
      ) { _, _ in Mute() }
      // While the attempt goes on, the deadline ends the call.
      let patient = try fixture.channel("\(listener.address)")
      await expectDeadline { _ = try await patient.call(method, [], short) }
      await patient.close()
      // When the attempt has failed, calls that do not wait for ready fail with the reason.
      let hasty = try fixture.channel("\(listener.address)") {
        $0.connectTimeout = .milliseconds(20)
      }
      let error = await #expect(throws: ServiceError.self) { try await hasty.call(method) }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("no answer within") == true)
      await hasty.close()
      await listener.stop()
    }
  }

  @Test("A look-up that never answers costs the caller its deadline, no more")
  func lookup() async throws {
    try await ClientFixture.run { fixture in
      let channel = try fixture.channel("slow.test:1") {
        $0.resolve = { _, _ in
          try await Task.sleep(for: .seconds(3_600))
          return []
        }
      }
      await expectDeadline { _ = try await channel.call(method, [], short) }
      let stream = RPCFixture.method("Talk", .bidirectional)
      await expectDeadline { _ = try await channel.openStream(stream, options: short) }
      await channel.close()
    }
  }

  @Test("A call that waits for ready ends at its deadline when no peer comes")
  func waitForReady() async throws {
    try await ClientFixture.run { fixture in
      let gone = try await fixture.peer { _ in .silence }
      await gone.listener.stop()
      let channel = try fixture.channel(to: gone)
      var options = short
      options.waitForReady = true
      await expectDeadline { _ = try await channel.call(method, [], options) }
      await channel.close()
    }
  }

  @Test("A deadline that has passed before the call leaves sends nothing")
  func alreadyOver() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .reply([7]) }
      let channel = try fixture.channel(to: peer)
      _ = try await channel.call(method)
      await expectDeadline { _ = try await channel.call(method, [], .timeout(.zero)) }
      #expect(peer.requests.count == 1)
      await channel.close()
    }
  }

  @Test("A deadline spans all attempts, and the pauses between them")
  func spansAttempts() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer {
        $0.number == 1
          ? .trailersOnly(.unavailable, [("grpc-retry-pushback-ms", "50")]) : .reply([7])
      }
      let read = RPCFixture.method("Read", retry: .idempotent)
      let channel = try fixture.channel(to: peer)
      _ = try await channel.call(read, [], .timeout(.seconds(3_000)))
      let left = try Self.timeouts(peer)
      #expect(left.count == 2)
      // The second attempt has what the first one and the pause have left; timers know milliseconds.
      #expect(left[0] <= .seconds(3_000))
      #expect(left[1] <= left[0] - .milliseconds(40))
      await channel.close()
    }
  }

  /// The times that the requests of a peer gave it.
  private static func timeouts(_ peer: ScriptedPeer) throws -> [Duration] {
    try peer.requests.map { request in
      let text = try #require(request.head.value(of: "grpc-timeout"))
      return try #require(Array(text.utf8).withUnsafeBufferPointer { TimeoutHeader.parse($0) })
    }
  }
}
