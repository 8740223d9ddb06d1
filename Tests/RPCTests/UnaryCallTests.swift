import EventLoop
import Foundation
import Testing

@testable import RPC

@Suite("Unary calls") struct UnaryCallTests {
  private let echo = RPCFixture.method("Echo")

  private func echoRegistry() -> MethodRegistry {
    var registry = MethodRegistry()
    registry.unary(echo) { message, _ in framed(message) }
    return registry
  }

  @Test("The reply is what the handler returned", arguments: [false, true])
  func echoes(tls: Bool) async throws {
    try await RPCFixture.run(tls: tls, echoRegistry()) { fixture in
      let secondReply = try await fixture.call(echo, [1, 2, 3])
      #expect(secondReply == [1, 2, 3])
      let thirdReply = try await fixture.call(echo, [])
      #expect(thirdReply == [])
      let large = [UInt8](repeating: 7, count: 3_000_000)
      let fourthReply = try await fixture.call(echo, large)
      #expect(fourthReply == large)
    }
  }

  @Test("Thousands of calls at once all get their own reply")
  func concurrent() async throws {
    try await RPCFixture.run(echoRegistry()) { fixture in
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for index in 0..<2_000 {
          group.addTask {
            let message = withUnsafeBytes(of: index) { Array($0) }
            return try await fixture.call(echo, message) == message
          }
        }
        for try await isOwn in group { #expect(isOwn) }
      }
    }
  }

  @Test("Calls that end, are given up or never read do not use up the connection's window")
  func window() async throws {
    let sized = RPCFixture.method("Sized")
    let endless = RPCFixture.method("Endless", .serverStreaming)
    var registry = MethodRegistry()
    registry.unary(sized) { _, _ in framed([UInt8](repeating: 7, count: 10_000)) }
    registry.stream(endless) { _, responses, _ in
      while true { try await responses.send(framed([UInt8](repeating: 7, count: 10_000))) }
    }
    try await RPCFixture.run(registry) { fixture in
      // Each of the three would empty the window of 1 MiB by itself.
      for _ in 0..<200 {
        let reply = try await fixture.call(sized, [], .timeout(.seconds(10)))
        #expect(reply.count == 10_000)
      }
      for _ in 0..<20 {
        let stream = try await fixture.channel.openStream(
          endless,
          options: .timeout(.seconds(10))
        )
        await stream.finishSending()
        for try await message in stream {
          #expect(message.count == 10_000)
          break
        }
        await stream.cancel()
      }
      let reply = try await fixture.call(sized, [], .timeout(.seconds(10)))
      #expect(reply.count == 10_000)
    }
  }

  @Test("A handler's error arrives with code, reason, text and details")
  func errors() async throws {
    let failing = RPCFixture.method("Fail")
    var registry = MethodRegistry()
    registry.unary(failing) { _, _ in
      throw ServiceError(
        code: .resourceExhausted,
        reason: "DAILY_LIMIT_EXCEEDED",
        message: "naïve 50%",
        retryAfter: .milliseconds(1_500),
        metadata: ["limit": "5"],
        violations: [FieldViolation(field: "params.scale", description: "must be 2 or 4")]
      )
    }
    try await RPCFixture.run(registry) { fixture in
      let error = await #expect(throws: ServiceError.self) { try await fixture.call(failing) }
      #expect(error?.code == .resourceExhausted)
      #expect(error?.reason == "DAILY_LIMIT_EXCEEDED")
      #expect(error?.message == "naïve 50%")
      #expect(error?.retryAfter == .milliseconds(1_500))
      #expect(error?.metadata == ["limit": "5"])
      #expect(error?.violations.first?.field == "params.scale")
    }
  }

  @Test("An unexpected error tells the caller nothing about itself")
  func unexpected() async throws {
    struct Secret: Error { let password = "hunter2" }
    let failing = RPCFixture.method("Fail")
    var registry = MethodRegistry()
    registry.unary(failing) { _, _ in throw Secret() }
    try await RPCFixture.run(registry) { fixture in
      let error = await #expect(throws: ServiceError.self) { try await fixture.call(failing) }
      #expect(error?.code == .internalError)
      #expect(error?.message == "internal error")
    }
  }

  @Test("An unknown method is unimplemented")
  func unknownMethod() async throws {
    try await RPCFixture.run(echoRegistry()) { fixture in
      let error = await #expect(throws: ServiceError.self) {
        try await fixture.call(RPCFixture.method("Nothing"))
      }
      #expect(error?.code == .unimplemented)
    }
  }

  @Test("Metadata travels both ways, and the principal with it")
  func metadata() async throws {
    let method = RPCFixture.method("Who")
    let user = UUID()
    let principal = Principal(userID: user, sessionID: UUID(), role: .admin)
    var registry = MethodRegistry()
    registry.unary(method) { _, context in
      #expect(context.principal == principal)
      #expect(context.metadata.binary("trace-bin") == [0, 255])
      #expect(context.callOptions.metadata.contains { $0.name == "x-oneshot-user-id" })
      context.setHeader("location", "/api/v1/jobs/7")
      context.setTrailer("cost", "12")
      return framed([])
    }
    try await RPCFixture.run(registry) { fixture in
      var options = CallOptions(metadata: principal.metadataFields.map { ($0.0, $0.1) })
      options.metadata.append(("trace-bin", "AP8="))
      let reply = try await fixture.channel.unaryReply(
        method,
        RPCFraming.frame([]),
        options: options
      )
      #expect(reply.headers["location"] == "/api/v1/jobs/7")
      #expect(reply.trailers["cost"] == "12")
    }
  }

  @Test("The deadline ends the call at both ends")
  func deadline() async throws {
    let method = RPCFixture.method("Hang")
    let started = Counter()
    let cancelled = Signal()
    var registry = echoRegistry()
    registry.unary(method) { _, _ in
      started.increment()
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
      _ = try await fixture.call(echo)
      let error = await #expect(throws: ServiceError.self) {
        try await fixture.call(method, [], .timeout(.milliseconds(200)))
      }
      #expect(error?.code == .deadlineExceeded)
      // On a busy machine the time may be over before the call has reached its handler.
      if started.value > 0 { await cancelled.wait() }
    }
  }

  @Test("Cancelling the caller's task cancels the handler")
  func cancellation() async throws {
    let method = RPCFixture.method("Hang")
    let started = Signal()
    let cancelled = Signal()
    var registry = MethodRegistry()
    registry.unary(method) { _, _ in
      started.fire()
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
      let caller = Task { try await fixture.call(method) }
      await started.wait()
      caller.cancel()
      await cancelled.wait()
      await #expect(throws: ServiceError.self) { try await caller.value }
    }
  }

  @Test("A message over the limit is refused and the connection goes on")
  func tooLarge() async throws {
    var limits = RPCLimits()
    limits.maxReceiveMessageBytes = 1_000
    try await RPCFixture.run(limits: limits, echoRegistry()) { fixture in
      let error = await #expect(throws: ServiceError.self) {
        try await fixture.call(echo, [UInt8](repeating: 1, count: 1_001))
      }
      #expect(error?.code == .resourceExhausted)
      let fifthReply = try await fixture.call(echo, [UInt8](repeating: 1, count: 1_000)).count
      #expect(fifthReply == 1_000)
    }
  }

  @Test("Only services on a method's list may call it")
  func allowList() async throws {
    let guarded = RPCFixture.method("Guarded", allow: ["edge"])
    var registry = MethodRegistry()
    registry.unary(guarded) { _, context in
      #expect(context.caller == "edge")
      return framed([1])
    }
    try await RPCFixture.run(tls: true, clientName: "test", registry) { fixture in
      let error = await #expect(throws: ServiceError.self) { try await fixture.call(guarded) }
      #expect(error?.code == .permissionDenied)
    }
    try await RPCFixture.run(tls: true, clientName: "edge", registry) { fixture in
      let sixthReply = try await fixture.call(guarded)
      #expect(sixthReply == [1])
    }
  }

  @Test("A server whose certificate names another service is not believed")
  func wrongServer() async throws {
    try await RPCFixture.run(tls: true, echoRegistry()) { fixture in
      let other = Channel(
        try .init(
          target: fixture.server.address.description,
          serverName: "billing",
          tls: try TestCertificates.tls(.client, "test")
        ),
        group: fixture.group
      )
      let error = await #expect(throws: ServiceError.self) {
        try await other.unary(echo, RPCFraming.frame([]))
      }
      #expect(error?.code == .unavailable)
      await other.close()
    }
  }

  @Test("A peer that is down is unavailable at once, and used again when it is back")
  func reconnects() async throws {
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    // An address of its own: nobody else takes the port while it is free.
    let host = "127.2.0.1"
    let first = try await RPCServer.start(
      .init(endpoint: .host(host, port: 0), tls: nil),
      registry: echoRegistry(),
      group: group
    )
    var configuration = try Channel.Configuration(
      target: first.address.description,
      serverName: "x",
      tls: nil
    )
    configuration.backoff.initial = .milliseconds(5)
    configuration.patience = .zero
    let channel = Channel(configuration, group: group)
    _ = try await channel.unary(echo, RPCFraming.frame([1]))
    await first.drain(timeout: .seconds(1))
    let error = await #expect(throws: ServiceError.self) {
      try await channel.unary(echo, RPCFraming.frame([1]))
    }
    #expect(error?.code == .unavailable)
    let second = try await RPCServer.start(
      .init(endpoint: .host(host, port: first.address.port), tls: nil),
      registry: echoRegistry(),
      group: group
    )
    var options = CallOptions.timeout(.seconds(5))
    options.waitForReady = true
    let reply = try await channel.unary(echo, RPCFraming.frame([2]), options: options)
    #expect(reply == [2])
    await channel.close()
    await second.drain(timeout: .seconds(1))
  }

  @Test("Draining lets a running call finish and takes no new connection")
  func drain() async throws {
    let method = RPCFixture.method("Slow")
    let started = Signal()
    let release = Signal()
    var registry = MethodRegistry()
    registry.unary(method) { _, _ in
      started.fire()
      await release.wait()
      return framed([9])
    }
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let server = try await RPCServer.start(
      .init(endpoint: .host("127.0.0.1", port: 0), tls: nil),
      registry: registry,
      group: group
    )
    let channel = Channel(
      try .init(target: server.address.description, serverName: "x", tls: nil),
      group: group
    )
    let running = Task { try await channel.unary(method, RPCFraming.frame([])) }
    await started.wait()
    let draining = Task { await server.drain(timeout: .seconds(5)) }
    release.fire()
    let seventhReply = try await running.value
    #expect(seventhReply == [9])
    await draining.value
    await channel.close()
  }
}
