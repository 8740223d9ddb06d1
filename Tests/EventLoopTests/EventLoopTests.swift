import Testing

@testable import EventLoop

/// An actor whose executor is a loop, as connections are.
private actor Pinned {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  private(set) var count = 0

  init(loop: EventLoop) { self.loop = loop }

  func increment() -> Bool {
    count += 1
    return loop.isCurrent
  }

  func wait(_ delay: Duration) async -> Bool {
    await withCheckedContinuation { done in
      _ = loop.schedule(after: delay) { done.resume(returning: self.loop.isCurrent) }
    }
  }
}

@Suite("Event loop") struct EventLoopTests {
  @discardableResult
  private func withLoop<T>(_ body: (EventLoop) async throws -> T) async throws -> T {
    let loop = try EventLoop(name: "test")
    loop.start()
    defer { loop.stop() }
    return try await body(loop)
  }

  /// What a timer of a stopped loop has held, and the loop.
  private func stopWithTimer() async throws -> (owner: () -> AnyObject?, loop: () -> AnyObject?) {
    let loop = try EventLoop(name: "test")
    loop.start()
    let owner = Pinned(loop: loop)
    await withCheckedContinuation { done in
      loop.submit {
        _ = loop.schedule(after: .seconds(3_600)) { _ = owner }
        done.resume()
      }
    }
    loop.stop()
    return ({ [weak owner] in owner }, { [weak loop] in loop })
  }

  @Test("A loop that has stopped lets go of what waits on it, and ends")
  func letsGo() async throws {
    let held = try await stopWithTimer()
    #expect(held.owner() == nil)
    #expect(held.loop() == nil)
  }

  /// What work that came after the end would hold, and the loop.
  private func submitToStopped() throws -> (owner: () -> AnyObject?, loop: () -> AnyObject?) {
    let loop = try EventLoop(name: "test")
    loop.start()
    loop.stop()
    let owner = Pinned(loop: loop)
    loop.submit { _ = owner }
    return ({ [weak owner] in owner }, { [weak loop] in loop })
  }

  @Test("Work that comes to a loop after its end is dropped, and does not keep it")
  func dropsLateWork() throws {
    let held = try submitToStopped()
    #expect(held.owner() == nil)
    #expect(held.loop() == nil)
  }

  @Test("A task that prefers the loop stays on its thread across suspensions")
  func taskStaysOnLoop() async throws {
    try await withLoop { loop in
      let onLoop = await Task(executorPreference: loop) {
        var all = loop.isCurrent
        for _ in 0..<100 {
          await Task.yield()
          all = all && loop.isCurrent
        }
        return all
      }.value
      #expect(onLoop)
    }
  }

  @Test("A pinned actor runs on its loop whoever calls it")
  func pinnedActor() async throws {
    try await withLoop { loop in
      let actor = Pinned(loop: loop)
      await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<200 { group.addTask { await actor.increment() } }
        for await onLoop in group { #expect(onLoop) }
      }
      #expect(await actor.count == 200)
    }
  }

  @Test("A timer fires on the loop")
  func timer() async throws {
    try await withLoop { loop in
      #expect(await Pinned(loop: loop).wait(.milliseconds(5)))
    }
  }

  @Test("Yielding for ever does not starve work submitted from elsewhere")
  func yieldingDoesNotStarve() async throws {
    try await withLoop { loop in
      let busy = Task(executorPreference: loop) {
        while !Task.isCancelled { await Task.yield() }
      }
      await withCheckedContinuation { done in loop.submit { done.resume() } }
      busy.cancel()
      await busy.value
    }
  }

  @Test("Yielding for ever does not hold back what connections have to write")
  func yieldingDoesNotHoldBack() async throws {
    final class Connection: TurnFlushable, Sendable {
      let (flushes, flushed) = AsyncStream.makeStream(of: Void.self)
      func flush() { flushed.finish() }
    }
    try await withLoop { loop in
      let connection = Connection()
      let busy = Task(executorPreference: loop) {
        while !Task.isCancelled { await Task.yield() }
      }
      loop.submit { loop.enqueueFlush(connection) }
      for await _ in connection.flushes {}
      busy.cancel()
      await busy.value
    }
  }

  @Test("Offloaded work runs off the loop and its error comes back")
  func offload() async throws {
    struct Failure: Error {}
    try await withLoop { loop in
      let offLoop = try await loop.offload { EventLoop.current == nil }
      #expect(offLoop)
      await #expect(throws: Failure.self) { try await loop.offload { throw Failure() } }
    }
  }

  @Test("A literal address resolves to itself with the port", arguments: ["127.0.0.1", "::1"])
  func resolveLiteral(host: String) async throws {
    try await withLoop { loop in
      let addresses = try await loop.resolve(host, port: 7101)
      #expect(addresses.count == 1)
      #expect(addresses.first?.port == 7101)
    }
  }

  @Test("An impossible name is an error, not a hang")
  func resolveUnknown() async throws {
    try await withLoop { loop in
      await #expect(throws: EventLoopError.self) {
        _ = try await loop.resolve("no such name.invalid", port: 1)
      }
    }
  }

  @Test(
    "Durations become whole milliseconds, rounded up",
    arguments: [
      (Duration.milliseconds(20), UInt64(20)), (.microseconds(1), 1), (.zero, 0), (.seconds(-3), 0),
      (.seconds(2), 2_000),
    ]
  )
  func milliseconds(duration: Duration, expected: UInt64) {
    #expect(duration.wholeMilliseconds == expected)
  }
}

@Suite("Moments of the loops' clock") struct MonotonicInstantTests {
  @Test(
    "A moment is as far away as was added, to the nanosecond",
    arguments: [
      Duration.zero, .nanoseconds(1), .nanoseconds(-1), .milliseconds(-2_500),
      .seconds(86_400 * 365),
    ]
  )
  func distance(_ length: Duration) {
    let start = MonotonicInstant.now
    #expect(start.duration(to: start + length) == length)
    #expect((start + length) - start == length)
    #expect((start + length < start) == (length < .zero))
  }

  @Test("What lies beyond 292 years is the end of time, and never wraps")
  func ends() {
    let start = MonotonicInstant.now
    let end = start + .seconds(Int64.max)
    #expect(end + .seconds(1) == end)
    #expect(start < end)
    let beginning = start - .seconds(Int64.max)
    #expect(beginning < start)
    #expect(beginning.duration(to: end) == .nanoseconds(Int64.max))
    #expect(end.duration(to: beginning) == .nanoseconds(Int64.min))
    #expect(Duration.seconds(Int64.max).clampedNanoseconds == .max)
    #expect(Duration.seconds(Int64.min).clampedNanoseconds == .min)
    #expect(
      (Duration.nanoseconds(1) - Duration(secondsComponent: 0, attosecondsComponent: 1))
        .clampedNanoseconds == 0
    )
  }
}
