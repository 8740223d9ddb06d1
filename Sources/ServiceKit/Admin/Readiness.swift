internal import Foundation
internal import Synchronization

/// Runs the health checks for `/readyz`, at most once a second.
///
///     starting → ready ⇄ not ready (by the checks) → draining
///
/// Only `ready`, with every required check passing, answers 200: a balancer sends nothing before the start is
/// complete or after the drain has begun.
package final class Readiness: Sendable {
  private enum Phase { case starting, running, draining }

  private struct State {
    var phase = Phase.starting
    var checks: [HealthCheck] = []
    var last: (at: ContinuousClock.Instant, report: ReadinessReport)?
  }

  private let state = Mutex(State())
  private let clock: any WallClock

  /// How long one report is repeated.
  private static let reportAge: Duration = .seconds(1)
  /// A check that takes longer has failed.
  private static let checkTimeout: Duration = .seconds(2)

  init(clock: any WallClock) {
    self.clock = clock
  }

  func didStart(checks: [HealthCheck]) {
    state.withLock { state in
      state.phase = .running
      state.checks = checks
      state.last = nil
    }
  }

  func willDrain() {
    state.withLock { state in
      state.phase = .draining
      state.last = nil
    }
  }

  func report() async -> ReadinessReport {
    let (phase, checks, last) = state.withLock { ($0.phase, $0.checks, $0.last) }
    if let last, ContinuousClock.now - last.at < Self.reportAge { return last.report }
    guard phase == .running else { return notRunning(phase) }
    let start = ContinuousClock.now
    let entries = await withTaskGroup(of: ReadinessReport.Entry.self) { group in
      for check in checks { group.addTask { await Self.run(check) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let report = ReadinessReport(
      isHealthy: entries.allSatisfy { $0.isHealthy || !$0.isRequired },
      unixSeconds: clock.now().timeIntervalSince1970,
      duration: ContinuousClock.now - start,
      entries: entries
    )
    state.withLock { if $0.phase == .running { $0.last = (start, report) } }
    return report
  }

  private func notRunning(_ phase: Phase) -> ReadinessReport {
    let name = phase == .starting ? "starting" : "draining"
    let entry = ReadinessReport.Entry(
      name: "process",
      isHealthy: false,
      duration: .zero,
      details: ["phase": name]
    )
    return ReadinessReport(
      isHealthy: false,
      unixSeconds: clock.now().timeIntervalSince1970,
      duration: .zero,
      entries: [entry]
    )
  }

  private static func run(_ check: HealthCheck) async -> ReadinessReport.Entry {
    let start = ContinuousClock.now
    do {
      let details = try await withTimeout(checkTimeout, check.run)
      return ReadinessReport.Entry(
        name: check.name,
        isHealthy: true,
        isRequired: check.isRequired,
        duration: ContinuousClock.now - start,
        details: details
      )
    } catch {
      return ReadinessReport.Entry(
        name: check.name,
        isHealthy: false,
        isRequired: check.isRequired,
        duration: ContinuousClock.now - start,
        details: ["error": "\(error)"]
      )
    }
  }
}
