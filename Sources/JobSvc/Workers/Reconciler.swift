internal import Logging
internal import Postgres
internal import ServiceKit

/// Repairs what processes that died left behind, stale admitting jobs and expired leases, and ends
/// jobs that waited too long.
struct Reconciler: Worker {
  let name = "reconciler"
  let store: JobStore
  let relay: EventRelay
  let bell: QueueBell
  let settlements: WakeSignal
  let webhooks: WakeSignal
  let logger: Logger

  /// No creation takes so long: its own deadline is shorter.
  static let admittingPatience: Duration = .seconds(15)
  /// A job that waits longer fails; well within the life of its hold, so that none runs uncharged.
  static let pendingPatience: Duration = .seconds(20 * 60 * 60)
  private static let interval: Duration = .seconds(1)

  func run() async throws {
    while !Task.isCancelled {
      try await runOnce()
      try await Task.sleep(for: Self.interval)
    }
  }

  /// One round over everything that may need repair.
  func runOnce(admittingPatience: Duration = Self.admittingPatience) async throws {
    let givenUp = try await store.giveUpAdmitting(olderThan: admittingPatience)
    let reaped = try await store.reapExpired()
    let overdue = try await store.failOverdue(olderThan: Self.pendingPatience)
    try await store.forgetOldKeys()
    for job in givenUp { logger.warning("stale admission given up", metadata: field(job)) }
    for job in reaped {
      logger.warning("expired lease taken back", metadata: field(job))
      await relay.announce(job)
    }
    for job in overdue {
      logger.error("job failed that waited too long", metadata: field(job))
      await relay.announce(job)
    }
    if !reaped.isEmpty { bell.ring() }
    if !givenUp.isEmpty || !reaped.isEmpty || !overdue.isEmpty {
      settlements.wake()
      webhooks.wake()
    }
  }

  private func field(_ job: JobID) -> Logger.Metadata { ["job_id": "\(job)"] }
}
