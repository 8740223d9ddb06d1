internal import Foundation
internal import JSON
internal import ServiceKit
internal import Synchronization

/// `/readyz` of the public port: whether what the edge needs for most requests is there.
///
/// A report is repeated for a second, so that nobody can use the page to load the services. It
/// names no addresses and no errors; those stand on the admin port.
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
  private let last = Mutex<(at: ContinuousClock.Instant, report: Report)?>(nil)

  init(checks: [HealthCheck], clock: any WallClock, isDraining: @escaping @Sendable () -> Bool) {
    self.checks = checks
    self.clock = clock
    self.isDraining = isDraining
  }

  /// The present report.
  func report() async -> Report {
    let known = last.withLock { $0 }
    if let known, known.at.duration(to: .now) < Self.age { return known.report }
    let start = ContinuousClock.now
    let outcomes = await withTaskGroup(of: (String, Bool, Duration).self) { group in
      for check in checks { group.addTask { await Self.run(check) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let report = write(outcomes.sorted { $0.0 < $1.0 }, start.duration(to: .now))
    last.withLock { $0 = (start, report) }
    return report
  }

  private static func run(_ check: HealthCheck) async -> (String, Bool, Duration) {
    let start = ContinuousClock.now
    let isHealthy = (try? await withTimeout(patience) { try await check.run() }) != nil
    return (check.name, isHealthy, start.duration(to: .now))
  }

  private func write(_ outcomes: [(String, Bool, Duration)], _ total: Duration) -> Report {
    let isHealthy = !isDraining() && outcomes.allSatisfy(\.1)
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
    for (name, isHealthy, duration) in outcomes {
      writer.key(name)
      writer.beginObject()
      writer.key("healthy")
      writer.bool(isHealthy)
      writer.key("duration_ms")
      writer.double(Self.milliseconds(duration))
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
