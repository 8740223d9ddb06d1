import EventLoop
import Synchronization
import Testing

@testable import RPC

@Suite("Calls that a handler makes on behalf of its own", .timeLimit(.minutes(1)))
struct HopTests {
  private let first = RPCFixture.method("First")
  private let second = RPCFixture.method("Second")

  /// Where a handler finds the channel that is made after it.
  private final class Link: Sendable {
    private let state = Mutex<Channel?>(nil)

    func set(_ channel: Channel) { state.withLock { $0 = channel } }

    func call(_ method: MethodDescriptor, _ options: CallOptions) async throws -> [UInt8] {
      let channel = try #require(state.withLock { $0 })
      return try await channel.unary(method, framed([1]), options: options)
    }
  }

  /// Runs `test` with a server whose First calls its Second.
  private func run(
    hopMargin: Duration,
    second body: @escaping UnaryBody,
    _ test: (RPCFixture) async throws -> Void
  ) async throws {
    let link = Link()
    var registry = MethodRegistry()
    registry.unary(first) { [second] _, context in
      let options = context.callOptions
      #expect(options.deadline == context.deadline - hopMargin)
      return framed(try await link.call(second, options))
    }
    registry.unary(second, body)
    var limits = RPCLimits()
    limits.hopMargin = hopMargin
    try await RPCFixture.run(limits: limits, registry) { fixture in
      link.set(fixture.channel)
      try await test(fixture)
    }
  }

  @Test("The next hop has less time than its caller, and knows on whose behalf it works")
  func shortened() async throws {
    let shorter = Counter()
    let body: UnaryBody = { _, context in
      #expect(context.requestID == "r-1")
      // Ten of the caller's sixty seconds are the margin.
      if MonotonicInstant.now.duration(to: context.deadline) <= .seconds(50) { shorter.increment() }
      return framed([2])
    }
    try await run(hopMargin: .seconds(10), second: body) { fixture in
      let options = CallOptions.timeout(.seconds(60)).adding("x-request-id", "r-1")
      let reply = try await fixture.call(first, [], options)
      #expect(reply == [2])
      #expect(shorter.value == 1)
    }
  }

  @Test("With no more time than the margin the next hop is not called at all")
  func refused() async throws {
    let calls = Counter()
    let body: UnaryBody = { _, _ in
      calls.increment()
      return framed([])
    }
    try await run(hopMargin: .seconds(100), second: body) { fixture in
      let error = await #expect(throws: ServiceError.self) {
        try await fixture.call(first, [], .timeout(.seconds(60)))
      }
      #expect(error?.code == .deadlineExceeded)
      #expect(calls.value == 0)
    }
  }

  @Test("Cancelling a call reaches the handlers of every hop as Swift's cancellation")
  func cancelled() async throws {
    let started = Signal()
    let cancelled = Signal()
    let body: UnaryBody = { _, _ in
      started.fire()
      let forever = Signal()
      await withTaskCancellationHandler {
        await forever.wait()
      } onCancel: {
        forever.fire()
      }
      #expect(Task.isCancelled)
      cancelled.fire()
      throw CancellationError()
    }
    try await run(hopMargin: .zero, second: body) { fixture in
      let caller = Task { try await fixture.call(first) }
      await started.wait()
      caller.cancel()
      await cancelled.wait()
      let error = await #expect(throws: ServiceError.self) { try await caller.value }
      #expect(error?.code == .cancelled)
    }
  }

  @Test("A handler that gives up says CANCELLED to its caller, through every hop")
  func givenUp() async throws {
    try await run(hopMargin: .zero, second: { _, _ in throw CancellationError() }) { fixture in
      let error = await #expect(throws: ServiceError.self) { try await fixture.call(first) }
      #expect(error?.code == .cancelled)
    }
  }
}
