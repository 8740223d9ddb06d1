import EventLoop
import Foundation
import Logging
import Synchronization
import Testing

@testable import ServiceKit

@Suite("Lifecycle") struct LifecycleTests {
  private final class Counter: Sendable {
    private let count = Mutex(0)
    func add() { count.withLock { $0 += 1 } }
    var value: Int { count.withLock { $0 } }
  }

  @Test("Everybody who registered hears of the drain once, late comers at once")
  func drain() {
    let signal = DrainSignal()
    let counter = Counter()
    _ = signal.onDrain { counter.add() }
    let unregister = signal.onDrain { counter.add() }
    unregister()
    #expect(!signal.isDraining)
    signal.give()
    signal.give()
    #expect(counter.value == 1)
    _ = signal.onDrain { counter.add() }
    #expect(counter.value == 2)
  }

  @Test("Work that takes too long is cancelled and reported")
  func timeout() async throws {
    #expect(try await withTimeout(.seconds(60)) { 7 } == 7)
    await #expect(throws: TimeoutError.self) {
      try await withTimeout(.milliseconds(10)) {
        for await _ in AsyncStream<Void>(unfolding: { try? await Task.sleep(for: .seconds(60)) }) {
          try Task.checkCancellation()
        }
      }
    }
  }

  @Test("A worker that throws is started again until its task is cancelled")
  func supervision() async throws {
    struct Failing: Worker {
      struct Broken: Error {}
      let name = "failing"
      let counter: Counter
      let enough: AsyncStream<Void>.Continuation

      func run() async throws {
        counter.add()
        if counter.value == 2 { enough.finish() }
        throw Broken()
      }
    }
    let group = try EventLoopGroup(count: 1)
    let (seen, enough) = AsyncStream.makeStream(of: Void.self)
    let worker = SupervisedWorker(
      worker: Failing(counter: Counter(), enough: enough),
      loop: group.loops[0],
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    )
    let task = Task { try await worker.run() }
    for await _ in seen {}
    task.cancel()
    try await task.value
    group.stop()
  }

  @Test("A point that is not armed does nothing")
  func faultPoints() {
    FaultPoints(armed: nil).reach("after_webhook")
    FaultPoints(armed: "elsewhere").reach("after_webhook")
  }

  @Test("A fault point has no place in production, and none in a service without any")
  func faultPointInProduction() {
    let environment = ["ENVIRONMENT": "production", "FAULT_POINT": "after_webhook"]
    var reader = ConfigurationReader(keys: ConfigKey.common, environment: environment)
    _ = CommonConfiguration(&reader, needs: .faultPoints)
    #expect(reader.problems.contains("FAULT_POINT: has no place in production"))
    let keys = ConfigKey.common(needs: [.postgres, .redis, .rpcServer], peers: [])
    #expect(!keys.contains { $0.name == "FAULT_POINT" })
  }
}
