import Synchronization
import Testing

@testable import RPC

/// What handlers saw of the tasks that they ran in.
private final class SeenTasks: Sendable {
  private let hashes = Mutex<[Int]>([])

  func note() {
    let hash = withUnsafeCurrentTask { $0?.hashValue ?? 0 }
    hashes.withLock { $0.append(hash) }
  }

  var all: [Int] { hashes.withLock { $0 } }
}

@Suite("The tasks of handlers") struct HandlerTaskTests {
  private static let echo = RPCFixture.method("Echo")
  private static let wait = RPCFixture.method("Wait")

  @Test("Calls that follow each other run in one task, calls at the same time in one each")
  func reuse() async throws {
    let seen = SeenTasks()
    let (started, release) = (Counter(), Signal())
    var registry = MethodRegistry()
    registry.unary(Self.echo) { message, _ in
      seen.note()
      return framed(message)
    }
    registry.unary(Self.wait) { _, _ in
      seen.note()
      started.increment()
      await release.wait()
      return framed([])
    }
    // Nothing is let go while the test runs.
    var limits = RPCLimits()
    limits.timePrecision = .seconds(600)
    try await RPCFixture.run(limits: limits, registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      for _ in 0..<3 { _ = try await client.call(WireClient.head(Self.echo), RPCFraming.frame([])) }
      #expect(seen.all.count == 3)
      #expect(Set(seen.all).count == 1)
      let waiting = try await client.start(WireClient.head(Self.wait), RPCFraming.frame([]))
      while started.value < 1 { await Task.yield() }
      _ = try await client.call(WireClient.head(Self.echo), RPCFraming.frame([]))
      #expect(seen.all.count == 5)
      #expect(Set(seen.all).count == 2)
      release.fire()
      await client.reset(waiting)
      await client.close()
    }
  }

  @Test("A call after a cancelled one is not cancelled", arguments: [false, true])
  func cancellation(fails: Bool) async throws {
    let (started, cancelled) = (Signal(), Signal())
    var registry = MethodRegistry()
    registry.unary(Self.wait) { _, _ in
      started.fire()
      await withTaskCancellationHandler {
        while !Task.isCancelled { await Task.yield() }
      } onCancel: {
        cancelled.fire()
      }
      if fails { throw CancellationError() }
      return framed([])
    }
    registry.unary(Self.echo) { _, _ in framed([Task.isCancelled ? 1 : 0]) }
    try await RPCFixture.run(registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      let call = try await client.start(WireClient.head(Self.wait), RPCFraming.frame([]))
      await started.wait()
      await client.reset(call)
      await cancelled.wait()
      for _ in 0..<3 {
        let answer = try await client.call(WireClient.head(Self.echo), RPCFraming.frame([]))
        #expect(answer.body == RPCFraming.frame([0]))
      }
      await client.close()
    }
  }

  @Test("A handler that throws leaves a task that is not cancelled")
  func failure() async throws {
    var registry = MethodRegistry()
    registry.unary(Self.wait) { _, _ in throw ServiceError.runtime(.notFound, "nothing here") }
    registry.unary(Self.echo) { _, _ in framed([Task.isCancelled ? 1 : 0]) }
    try await RPCFixture.run(registry) { fixture in
      let client = try await WireClient.connect(
        to: fixture.server.address,
        on: fixture.group.next()
      )
      let failed = try await client.call(WireClient.head(Self.wait), RPCFraming.frame([]))
      #expect(failed.status == .notFound)
      let answer = try await client.call(WireClient.head(Self.echo), RPCFraming.frame([]))
      #expect(answer.body == RPCFraming.frame([0]))
      await client.close()
    }
  }

  @Test("What nobody has needed since the last look is let go, the oldest first")
  func trimming() {
    var idle = IdleList<Int>()
    for task in 1...5 { idle.add(task) }
    let atFirst = idle.takeNeedless()
    #expect(atFirst == [])
    // Two at a time are needed.
    let busy = [idle.take(), idle.take()].compactMap { $0 }
    for task in busy { idle.add(task) }
    let needless = idle.takeNeedless()
    #expect(needless == [1, 2, 3])
    let rest = idle.takeNeedless()
    #expect(rest.count == 2)
    let none = idle.take()
    #expect(none == nil)
  }
}
