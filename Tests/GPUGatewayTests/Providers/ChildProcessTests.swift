import EventLoop
import Foundation
import Synchronization
import Testing

@testable import GPUGateway

@Suite("Child process") struct ChildProcessTests {
  /// Output that is kept; a child that never stops must not fill the memory.
  private static let kept = 4_000_000

  /// Runs a program on a loop of its own and returns its output and end.
  private func run(
    _ path: String,
    input: [UInt8] = [],
    timeout: Duration = .seconds(20),
    limit: Int = .max
  ) async throws -> (output: [UInt8], end: ChildProcess.End) {
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let output = Mutex<[UInt8]>([])
    let child = ChildProcess(loop: group.loops[0]) { bytes in
      output.withLock { output in
        if output.count < Self.kept { output.append(contentsOf: bytes) }
        return output.count < limit
      }
    }
    let end = try await child.run(path, input: input, timeout: timeout)
    return (output.withLock { $0 }, end)
  }

  @Test("More bytes than a pipe holds go in and come out unchanged")
  func largeInput() async throws {
    let input = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let result = try await run("/bin/cat", input: input)
    #expect(result.output == input)
    #expect(result.end.status == 0)
  }

  @Test("The environment is empty")
  func environment() async throws {
    #expect(try await run("/usr/bin/env").output == [])
  }

  @Test("Exit status and standard error are told")
  func failure() async throws {
    #expect(try await run("/bin/false").end.status == 1)
    let complaint = try await run("/bin/cp").end
    #expect(complaint.status != 0)
    #expect(complaint.complaint.contains("cp"))
  }

  @Test("The status counts of a child that exits some time after the end of its output")
  func lateExit() async throws {
    let script = "exec 1>&-; exec 2>&-; sleep 0.1; exit 3"
    #expect(try await run("/bin/sh", input: Array(script.utf8)).end.status == 3)
  }

  @Test("A child that goes on after the end of its output is killed")
  func goesOn() async throws {
    let script = "exec 1>&-; exec 2>&-; sleep 1000"
    #expect(try await run("/bin/sh", input: Array(script.utf8)).end.status == 128 + 9)
  }

  @Test("A child that never ends is killed when its time is over")
  func timeout() async throws {
    let result = try await run("/usr/bin/yes", timeout: .milliseconds(100))
    #expect(result.end.status == 128 + 9)
  }

  @Test("A child that says too much is ended")
  func tooMuch() async throws {
    let result = try await run("/usr/bin/yes", limit: 1_000_000)
    #expect(result.end.status == 128 + 9)
    #expect(result.output.count < 2_000_000)
  }

  @Test("Cancelling kills the child")
  func cancellation() async throws {
    let task = Task { try await run("/usr/bin/yes") }
    task.cancel()
    #expect(try await task.value.end.status == 128 + 9)
  }

  @Test("A program that does not exist is an error")
  func missing() async throws {
    await #expect(throws: ChildProcess.SpawnError.self) { try await run("/none") }
  }

  @Test("Slots bound how many work at once, and a cancelled waiter leaves its place")
  func slots() async throws {
    let slots = WorkerSlots(count: 2)
    let inside = Recorder<Int>()
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let (entered, enter) = AsyncStream.makeStream(of: Void.self)
    let first = (0..<2).map { index in
      Task {
        try await slots.withSlot {
          inside.add(index)
          enter.yield()
          for await _ in gate {}
        }
      }
    }
    var waiting = entered.makeAsyncIterator()
    _ = await waiting.next()
    _ = await waiting.next()
    let third = Task { try await slots.withSlot { inside.add(3) } }
    third.cancel()
    await #expect(throws: CancellationError.self) { try await third.value }
    open.finish()
    for task in first { try await task.value }
    try await slots.withSlot { inside.add(4) }
    #expect(Set(inside.all) == [0, 1, 4])
  }
}
