import Synchronization
import Testing

@testable import AuthSvc

@Suite("Work gate") struct WorkGateTests {
  /// Work that goes on until it is told to end.
  private final class Latch: Sendable {
    private let stream: AsyncStream<Void>
    private let source: AsyncStream<Void>.Continuation

    init() { (stream, source) = AsyncStream.makeStream() }
    func open() { source.finish() }
    func wait() async { for await _ in stream {} }
  }

  /// Counts what runs at once.
  private final class Meter: Sendable {
    private let state = Mutex((now: 0, most: 0, done: 0))

    func enter() {
      state.withLock { state in
        state.now += 1
        state.most = max(state.most, state.now)
      }
    }

    func leave() {
      state.withLock { state in
        state.now -= 1
        state.done += 1
      }
    }

    var most: Int { state.withLock { $0.most } }
    var done: Int { state.withLock { $0.done } }
  }

  @Test("No more than the limit runs at once, and everyone gets a turn")
  func bounded() async throws {
    let gate = WorkGate(maxRunning: 3, maxWaiting: 100)
    let meter = Meter()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<50 {
        group.addTask {
          try await gate.run {
            meter.enter()
            await Task.yield()
            meter.leave()
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(meter.done == 50)
    #expect(meter.most <= 3)
  }

  @Test("When the queue is full the next is refused at once")
  func full() async throws {
    let gate = WorkGate(maxRunning: 1, maxWaiting: 1)
    let latch = Latch()
    let (started, start) = AsyncStream<Void>.makeStream()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<3 {
        group.addTask {
          do {
            return try await gate.run {
              start.yield()
              await latch.wait()
              return 1
            }
          } catch is WorkGate.Full {
            // Only once the queue is full does anybody come here; the others may go on now.
            latch.open()
            return number >= 0 ? 0 : 1
          }
        }
      }
      for await _ in started { break }
      var passed = 0
      for try await result in group { passed += result }
      #expect(passed == 2)
    }
  }

  @Test("A cancelled waiter leaves the queue and its place goes to nobody")
  func cancelled() async throws {
    let gate = WorkGate(maxRunning: 1, maxWaiting: 1)
    let latch = Latch()
    let (started, start) = AsyncStream<Void>.makeStream()
    let holder = Task {
      try await gate.run {
        start.yield()
        await latch.wait()
      }
    }
    for await _ in started { break }
    let waiter = Task { try await gate.run {} }
    waiter.cancel()
    await #expect(throws: CancellationError.self) { try await waiter.value }
    latch.open()
    try await holder.value
    try await gate.run {}
  }
}
