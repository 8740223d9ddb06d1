import HTTP2
import Synchronization
import Testing

@testable import RPC

/// Memory of all connections of one side, of which one request is refused.
private final class FailingMemory: Sendable {
  private let requests = Mutex(0)
  private let failing: Int

  init(failing: Int) { self.failing = failing }

  var hasFailed: Bool { requests.withLock { $0 >= failing } }

  func take() -> Bool {
    requests.withLock { requests in
      requests += 1
      return requests != failing
    }
  }
}

@Suite("Memory that runs out under a connection") struct FailingMemoryTests {
  private static let echo = RPCFixture.method("Echo")
  private static let message = [UInt8](repeating: 7, count: 100_000)

  private static func registry() -> MethodRegistry {
    var registry = MethodRegistry()
    registry.unary(echo) { message, _ in framed(message) }
    return registry
  }

  /// The status of each of three calls, one after the other, one of which the failure may hit.
  private func threeCalls(_ faults: SessionFaults, atServer: Bool) async throws -> [StatusCode] {
    var limits = RPCLimits()
    limits.http2.faults = Unmanaged.passUnretained(faults)
    var codes: [StatusCode] = []
    try await RPCFixture.run(
      limits: atServer ? limits : RPCLimits(),
      Self.registry()
    ) { fixture in
      var configuration = try Channel.Configuration(
        target: fixture.server.address.description,
        serverName: "x",
        tls: nil
      )
      if !atServer { configuration.limits = limits }
      configuration.backoff = ExponentialBackoff(
        initial: .milliseconds(1),
        longest: .milliseconds(5)
      )
      let channel = Channel(configuration, group: fixture.group)
      for _ in 0..<3 {
        do {
          let reply = try await channel.call(Self.echo, Self.message)
          #expect(reply == Self.message)
          codes.append(.ok)
        } catch let error as ServiceError {
          codes.append(error.code)
        }
      }
      await channel.close()
    }
    return codes
  }

  @Test(
    "Whichever allocation fails, at most one call fails, and none waits for ever",
    arguments: [true, false]
  )
  func allocations(atServer: Bool) async throws {
    var failed = 0
    var number = 1
    while true {
      let memory = FailingMemory(failing: number)
      let faults = SessionFaults(grantsMemory: { memory.take() })
      let codes = try await threeCalls(faults, atServer: atServer)
      withExtendedLifetime(faults) {}
      // DEADLINE_EXCEEDED would be a call that waited for ever.
      let bad = codes.filter { $0 != .ok }
      #expect(bad == [] || bad == [.unavailable] || bad == [.internalError], "\(number): \(codes)")
      failed += bad.count
      guard memory.hasFailed else { break }
      number += 1
    }
    #expect(number > 30)
    print(
      "at the \(atServer ? "server" : "client"): \(number - 1) allocations, \(failed) calls failed"
    )
  }
}
