internal import Foundation
internal import JSON
internal import ServiceKit
internal import Synchronization

/// `/readyz` of the public port: whether what the edge needs for most requests is there.
///
/// A report is repeated for a second and made once at a time, so that nobody can use the page to load
/// the services. It names no addresses and no errors; those stand on the admin port. A service that
/// is down is reported and does not make the edge unready: other operations go on without it.
final class PublicReadiness: Sendable {
  struct Report: Sendable {
    let isHealthy: Bool
    let json: [UInt8]
  }

  private static let age: Duration = .seconds(1)
  private static let patience: Duration = .seconds(2)

  private let checks: [HealthCheck]
  private let clock: any WallClock
  private let isDraining: @Sendable () -> Bool
  private struct State {
    var last: (at: ContinuousClock.Instant, report: Report)?
    var isMaking = false
  }

  private struct Outcome {
    let check: HealthCheck
    let isHealthy: Bool
    let duration: Duration
  }

  private let state = Mutex(State())

  init(checks: [HealthCheck], clock: any WallClock, isDraining: @escaping @Sendable () -> Bool) {
    self.checks = checks
    self.clock = clock
    self.isDraining = isDraining
  }

  /// The present report.
  func report() async -> Report {
    let known: Report? = state.withLock { state in
      guard let last = state.last else { return nil }
      if state.isMaking || last.at.duration(to: .now) < Self.age { return last.report }
      state.isMaking = true
      return nil
    }
    if let known { return known }
    let start = ContinuousClock.now
    let outcomes = await withTaskGroup(of: Outcome.self) { group in
      for check in checks { group.addTask { await Self.run(check) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let report = write(outcomes.sorted { $0.check.name < $1.check.name }, start.duration(to: .now))
    state.withLock { $0 = State(last: (start, report)) }
    return report
  }

  private static func run(_ check: HealthCheck) async -> Outcome {
    let start = ContinuousClock.now
    let isHealthy = (try? await withTimeout(patience) { try await check.run() }) != nil
    return Outcome(check: check, isHealthy: isHealthy, duration: start.duration(to: .now))
  }

  private func write(_ outcomes: [Outcome], _ total: Duration) -> Report {
    let isHealthy = !isDraining() && outcomes.allSatisfy { $0.isHealthy || !$0.check.isRequired }
    var writer = JSONWriter(reserving: 256)
    writer.beginObject()
    writer.key("healthy")
    writer.bool(isHealthy)
    writer.key("timestamp")
    writer.double((clock.now().timeIntervalSince1970 * 1000).rounded() / 1000)
    writer.key("total_duration_ms")
    writer.double(Self.milliseconds(total))
    writer.key("services")
    writer.beginObject()
    for outcome in outcomes {
      writer.key(outcome.check.name)
      writer.beginObject()
      writer.key("healthy")
      writer.bool(outcome.isHealthy)
      writer.key("required")
      writer.bool(outcome.check.isRequired)
      writer.key("duration_ms")
      writer.double(Self.milliseconds(outcome.duration))
      writer.endObject()
    }
    writer.endObject()
    writer.endObject()
    return Report(isHealthy: isHealthy, json: writer.bytes)
  }

  private static func milliseconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) * 1e3 + (Double(attoseconds) / 1e13).rounded() / 1e2
  }
}
