import OneShotAPI
import Testing

@testable import GPUGateway

@Suite("Runs") struct RunTests {
  private func run(_ id: String = "r") -> Run { Run(.with { $0.runId = id }) }

  private func events(_ run: Run, after: Int64 = 0) async throws -> [Gpu.RunEvent] {
    let seen = Recorder<Gpu.RunEvent>()
    try await run.follow(after: after) { seen.add($0) }
    return seen.all
  }

  @Test("Events are numbered from 1, progress never falls, and the first end counts")
  func events() async throws {
    let run = run()
    run.accepted(by: "p", task: "t")
    run.progressed(.running, basisPoints: 5_000)
    run.progressed(.running, basisPoints: 100)
    run.progressed(.running, basisPoints: 20_000)
    run.succeeded(.with { $0.provider = "p" })
    run.failed(.provider("late"), provider: "p")
    run.progressed(.running, basisPoints: 1)
    let events = try await events(run)
    #expect(events.map(\.sequence) == [1, 2, 3, 4, 5])
    let progress = events.compactMap { event in
      if case .progress(let step) = event.event { step.progressBasisPoints } else { nil }
    }
    #expect(progress == [5_000, 5_000, 9_999])
    guard case .succeeded = events.last?.event else {
      Issue.record("another end")
      return
    }
    #expect(try await self.events(run, after: 4).map(\.sequence) == [5])
    #expect(try await self.events(run, after: 99).isEmpty)
  }

  @Test("Several followers see everything, also those who came before it happened")
  func followers() async throws {
    let run = run()
    async let first = events(run)
    async let second = events(run)
    run.progressed(.running, basisPoints: 1)
    run.failed(.provider("x"), provider: "p")
    let seen = try await (first, second)
    #expect(seen.0.count == 2)
    #expect(seen.0 == seen.1)
  }

  @Test("Cancelling works before, during and not after a run")
  func cancelling() {
    let early = run()
    #expect(early.cancel() == .stopped)
    let stops = Recorder<Int>()
    early.onCancel { stops.add(1) }
    #expect(stops.all == [1])
    let running = run()
    running.onCancel { stops.add(2) }
    #expect(running.cancel() == .stopped)
    #expect(running.cancel() == .stopped)
    #expect(stops.all == [1, 2, 2])
    let ended = run()
    ended.succeeded(.init())
    #expect(ended.cancel() == .alreadyEnded)
  }

  @Test("The same name finds the same run; too many runs are refused")
  func registry() throws {
    let registry = RunRegistry()
    let first = try registry.startOrAttach(.with { $0.runId = "a" })
    #expect(try registry.startOrAttach(.with { $0.runId = "a" }) === first)
    #expect(registry.run("a") === first)
    #expect(registry.run("b") == nil)
    for index in 1..<RunRegistry.maxActive {
      _ = try registry.startOrAttach(.with { $0.runId = "\(index)" })
    }
    #expect(throws: (any Error).self) { try registry.startOrAttach(.with { $0.runId = "z" }) }
    first.succeeded(.init())
    registry.didEnd(first)
    _ = try registry.startOrAttach(.with { $0.runId = "z" })
    // An ended run is remembered for those who come late.
    #expect(registry.run("a") === first)
  }

  @Test("Of ended runs only so many are remembered")
  func memory() throws {
    let registry = RunRegistry()
    for index in 0..<(RunRegistry.maxEnded * 2 + 10) {
      let run = try registry.startOrAttach(.with { $0.runId = "\(index)" })
      run.succeeded(.init())
      registry.didEnd(run)
    }
    #expect(registry.run("0") == nil)
    #expect(registry.run("\(RunRegistry.maxEnded * 2)") != nil)
    #expect(registry.activeCount == 0)
  }
}
