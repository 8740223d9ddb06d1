import EventLoop
import HTTP2
import Net
import Testing

@testable import RPC

@Suite("The life of a server's connection") struct ConnectionLifeTests {
  private let echo = RPCFixture.method("Echo")
  private let wait = RPCFixture.method("Wait")
  private let start = MonotonicInstant.now

  /// Runs `body` with a server whose handlers of Wait end with `release`.
  private func run(
    _ change: (inout RPCLimits) -> Void = { _ in },
    release: Signal = Signal(),
    cancelled: Signal = Signal(),
    _ body: (_ fixture: RPCFixture, _ client: WireClient) async throws -> Void
  ) async throws {
    var registry = MethodRegistry()
    registry.unary(echo) { message, _ in framed(message) }
    registry.unary(wait) { message, _ in
      await withTaskCancellationHandler {
        await release.wait()
      } onCancel: {
        cancelled.fire()
        release.fire()
      }
      return framed(message)
    }
    var limits = RPCLimits()
    // Time passes when a test says so.
    limits.timePrecision = .seconds(100_000)
    change(&limits)
    try await RPCFixture.run(limits: limits, registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      try await body(fixture, client)
      release.fire()
      await client.close()
    }
  }

  /// Lets every connection of the server believe that it is so long after the test's start.
  private func advance(_ fixture: RPCFixture, to seconds: Int) {
    let now = start + .seconds(seconds)
    for connection in fixture.server.core.connections.all {
      connection.loop.submit { connection.tick(now) }
    }
  }

  private func call(_ method: MethodDescriptor, _ client: WireClient) async throws -> WireStream {
    try await client.start(WireClient.head(method), RPCFraming.frame([7]))
  }

  @Test("Draining says so twice, takes what is on its way, and ends with the last call")
  func drain() async throws {
    let release = Signal()
    try await run(release: release) { fixture, client in
      let running = try await call(wait, client)
      let other = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      #expect(other.status == .ok)
      async let drained: Void = fixture.server.drain(timeout: .seconds(60))
      await client.waitForGoAways(2)
      let goAways = await client.goAways
      #expect(goAways.map(\.last) == [Int32.max, 3])
      #expect(goAways.map(\.code) == [.noError, .noError])
      #expect(goAways.last?.debug == "shutdown")
      let isClosed = await client.isClosed
      #expect(!isClosed)
      release.fire()
      let answer = await client.answer(of: running)
      #expect(answer.status == .ok)
      #expect(answer.body == RPCFraming.frame([7]))
      await client.waitUntilClosed()
      await drained
    }
  }

  @Test("A connection that opens after the drain has begun is told like the others")
  func drainsLateConnections() async throws {
    let release = Signal()
    try await run(release: release) { fixture, client in
      let running = try await call(wait, client)
      _ = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      async let drained: Void = fixture.server.drain(timeout: .seconds(60))
      await client.waitForGoAways(1)
      // As one whose handshake took until now: by a listener that the drain does not stop.
      let core = fixture.server.core
      let listener = try await Listener.start(
        on: Endpoint("127.0.0.1:0"),
        group: fixture.group,
        distribution: .leastConnections
      ) { loop, _ in ServerConnection(loop: loop, server: core) }
      let late = try await WireClient.connect(to: listener.address, on: fixture.group.next())
      await late.waitForGoAways(2)
      await late.waitUntilClosed()
      release.fire()
      let answer = await client.answer(of: running)
      #expect(answer.status == .ok)
      await drained
      await listener.stop()
    }
  }

  @Test("A peer that does not answer the drain's ping learns the end all the same")
  func deafDrain() async throws {
    try await run({ $0.connection.goAwayPatience = .milliseconds(5) }) { fixture, client in
      _ = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      // The library answers no ping behind a GOAWAY when it has no call.
      async let drained: Void = fixture.server.drain(timeout: .seconds(60))
      await client.waitUntilClosed()
      let goAways = await client.goAways
      #expect(goAways.map(\.last) == [Int32.max, 1])
      await drained
    }
  }

  @Test("After the drain's deadline calls are cancelled")
  func drainDeadline() async throws {
    let cancelled = Signal()
    try await run(cancelled: cancelled) { fixture, client in
      let running = try await call(wait, client)
      _ = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      await fixture.server.drain(timeout: .milliseconds(20))
      await cancelled.wait()
      let answer = await client.answer(of: running)
      #expect(!answer.isEnded)
      await client.waitUntilClosed()
    }
  }

  @Test("A reply that waits for the reader's window is not lost by draining")
  func drainKeepsReplies() async throws {
    try await run { fixture, client in
      let large = [UInt8](repeating: 5, count: 1_000_000)
      let stream = try await client.start(WireClient.head(echo), RPCFraming.frame(large))
      // The window is 256 KiB and nobody opens it: the handler is done, most of the reply waits.
      await client.wait { stream.answer.body.count >= 200_000 }
      async let drained: Void = fixture.server.drain(timeout: .seconds(60))
      await client.waitForGoAways(2)
      let answer = await client.read(stream)
      #expect(answer.body == RPCFraming.frame(large))
      #expect(answer.status == .ok)
      await drained
    }
  }

  @Test("Pings that come too often end the connection, by gRPC's words")
  func tooManyPings() async throws {
    try await run { _, client in
      for count in 1...3 {
        await client.ping()
        await client.waitForPongs(count)
      }
      let early = await client.goAways.count
      #expect(early == 0)
      await client.ping()
      await client.waitUntilClosed()
      let goAways = await client.goAways
      #expect(goAways.map(\.code) == [.enhanceYourCalm])
      #expect(goAways.map(\.debug) == ["too_many_pings"])
    }
  }

  @Test("A peer that measures the connection while it is answered may ping")
  func pingsWithCalls() async throws {
    try await run { _, client in
      for count in 1...20 {
        await client.ping()
        let answer = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
        #expect(answer.status == .ok)
        await client.waitForPongs(count)
      }
      let isClosed = await client.isClosed
      #expect(!isClosed)
    }
  }

  @Test("A silent peer is pinged, and stays as long as it answers")
  func keepalive() async throws {
    try await run({ $0.http2.times.idle = .seconds(100_000) }) { fixture, client in
      _ = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      advance(fixture, to: 1)
      for round in 1...3 {
        advance(fixture, to: 7_202 * round)
        await client.waitForPings(round)
        let answer = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
        #expect(answer.status == .ok)
        advance(fixture, to: 7_202 * round + 1)
      }
    }
  }

  @Test("A peer that answers no ping is given up, and its calls are cancelled")
  func deadPeer() async throws {
    let cancelled = Signal()
    try await run({ $0.connection.keepaliveTime = .seconds(20) }, cancelled: cancelled) {
      fixture,
      client in
      _ = try await call(wait, client)
      _ = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      await client.pause()
      for seconds in stride(from: 1, to: 500, by: 21) { advance(fixture, to: seconds) }
      await cancelled.wait()
      await client.resume()
      await client.waitUntilClosed()
    }
  }

  @Test("A connection that has reached its age is left, and its calls finish")
  func age() async throws {
    let release = Signal()
    try await run({ $0.connection.maxAge = .seconds(1_000) }, release: release) {
      fixture,
      client in
      let running = try await call(wait, client)
      _ = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      advance(fixture, to: 899)
      advance(fixture, to: 2_000)
      await client.waitForGoAways(2)
      let goAways = await client.goAways
      #expect(goAways.map(\.last) == [Int32.max, 3])
      #expect(goAways.last?.debug == "max_age")
      release.fire()
      let answer = await client.answer(of: running)
      #expect(answer.status == .ok)
      await client.waitUntilClosed()
    }
  }

  @Test("Calls of a connection that has reached its age have the grace, and no more")
  func grace() async throws {
    let cancelled = Signal()
    try await run(
      {
        $0.connection.maxAge = .seconds(1_000)
        $0.connection.maxAgeGrace = .seconds(50)
      },
      cancelled: cancelled
    ) { fixture, client in
      let running = try await call(wait, client)
      _ = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      advance(fixture, to: 2_000)
      await client.waitForGoAways(2)
      advance(fixture, to: 2_049)
      let isClosed = await client.isClosed
      #expect(!isClosed)
      advance(fixture, to: 2_050)
      await client.waitUntilClosed()
      #expect(!running.answer.isEnded)
      await cancelled.wait()
    }
  }

  @Test("A connection without calls is left after its time")
  func idle() async throws {
    try await run { fixture, client in
      _ = try await client.call(WireClient.head(echo), RPCFraming.frame([1]))
      advance(fixture, to: 1)
      advance(fixture, to: 62)
      await client.waitUntilClosed()
      let goAways = await client.goAways
      #expect(goAways.map(\.last) == [Int32.max, 1])
      #expect(goAways.last?.debug == "max_idle")
    }
  }

  @Test("A server that leaves under load fails no call, and none is done twice")
  func drainUnderLoad() async throws {
    let group = try EventLoopGroup(count: 2)
    defer { group.stop() }
    let served = [Counter(), Counter()]
    let isBusy = Signal()
    var servers: [RPCServer] = []
    for counter in served {
      var registry = MethodRegistry()
      registry.unary(echo) { message, _ in
        if counter.increment() == 200 { isBusy.fire() }
        return framed(message)
      }
      servers.append(
        try await RPCServer.start(
          .init(endpoint: .host("127.0.0.1", port: 0), tls: nil),
          registry: registry,
          group: group
        )
      )
    }
    let channel = Channel(
      try .init(
        target: servers.map(\.address.description).joined(separator: ","),
        serverName: "x",
        tls: nil
      ),
      group: group
    )
    let leaving = servers[0]
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for caller in 0..<16 {
        tasks.addTask {
          for number in 0..<150 {
            let message = [UInt8(caller), UInt8(number)]
            let reply = try await channel.unary(echo, framed(message))
            #expect(reply == message)
          }
        }
      }
      tasks.addTask {
        await isBusy.wait()
        await leaving.drain(timeout: .seconds(60))
      }
      try await tasks.waitForAll()
    }
    #expect(served[0].value + served[1].value == 16 * 150)
    #expect(served[1].value > served[0].value)
    await channel.close()
    await servers[1].drain(timeout: .seconds(1))
  }
}
