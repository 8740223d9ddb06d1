internal import EventLoop
internal import Foundation
internal import Logging
internal import Postgres
internal import Redis

/// The work of `Benchmarks/CData/cdata.c` from async handlers on one loop.
///
///     data-bench pg|redis URL IN_FLIGHT CALLS [SCRIPT]
///
/// Prints the calls, the seconds, and the CPU microseconds of one call.
@main
enum DataBench {
  /// One call of a handler, which stays where its caller is as the handlers of RPC do.
  private typealias Call = nonisolated(nonsending) @Sendable (Int) async throws -> Void

  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 5, let inFlight = Int(arguments[3]), let calls = Int(arguments[4])
    else { fatalError("usage: data-bench pg|redis URL IN_FLIGHT CALLS [SCRIPT]") }
    let group = try EventLoopGroup(count: 1)
    let loop = group.loops[0]
    switch arguments[1] {
    case "pg":
      var limits = PostgresLimits()
      limits.connectionsPerLoop = 1
      let client = try PostgresClient(
        PostgresConfiguration(url: arguments[2], limits: limits),
        group: group,
        logger: Logger(label: "data-bench")
      )
      try await measure(calls, inFlight, loop) { try await read(client, $0) }
      await client.shutdown()
    default:
      let script = RedisScript(try String(contentsOfFile: arguments[5], encoding: .utf8))
      // The machine may be busy: a late answer is a slow one here, no failure.
      let client = try RedisClient(url: arguments[2], group: group, commandTimeout: .seconds(10))
      try await measure(calls, inFlight, loop) { try await spend(client, script, $0) }
      await client.shutdown()
    }
    group.stop()
  }

  /// Runs the calls from `inFlight` handlers at once, on the loop, after a tenth to warm up.
  private static func measure(
    _ calls: Int,
    _ inFlight: Int,
    _ loop: EventLoop,
    _ call: @escaping Call
  ) async throws {
    try await run(calls / 10, inFlight, loop, call)
    let clock = ContinuousClock()
    let (start, used) = (clock.now, cpuMicroseconds())
    try await run(calls, inFlight, loop, call)
    let spent = Double(cpuMicroseconds() - used) / Double(calls)
    let (seconds, attoseconds) = (clock.now - start).components
    print(calls, Double(seconds) + Double(attoseconds) / 1e18, spent)
  }

  private static func run(
    _ calls: Int,
    _ inFlight: Int,
    _ loop: EventLoop,
    _ call: @escaping Call
  ) async throws {
    let handlers = (0..<inFlight).map { number in
      Task(executorPreference: loop) {
        for index in stride(from: number, to: calls, by: inFlight) { try await call(index) }
      }
    }
    for handler in handlers { try await handler.value }
  }

  nonisolated(nonsending) private static func read(_ client: PostgresClient, _ index: Int)
    async throws
  {
    let key = Int32(1 + index % 1000)
    let rows = try await client.query(
      "SELECT id, name, state, progress, cost, created_at FROM bench_row WHERE id = \(key)"
    )
    guard let row = rows.first else { fatalError("no row") }
    let (id, name, _, progress, _, _) = try row.decode(
      Int32.self,
      String.self,
      String.self,
      Int32.self,
      Int64.self,
      Date.self
    )
    guard id == key, !name.isEmpty, progress >= 0 else { fatalError("not the row") }
  }

  nonisolated(nonsending) private static func spend(
    _ client: RedisClient,
    _ script: RedisScript,
    _ index: Int
  ) async throws {
    let answer = try await client.run(
      script,
      keys: ["bench:\(index % 1000)"],
      arguments: [1_000_000, 1000, 1, 1_700_000_000_000]
    )
    guard case .array(let parts) = answer, parts.count == 2 else { fatalError("not the answer") }
  }

  private static func cpuMicroseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Int(time.tv_sec) * 1_000_000 + Int(time.tv_nsec) / 1000
  }
}
