internal import Logging
internal import Postgres
internal import ServiceKit

/// Repairs what processes that died left behind: stale admitting jobs and expired leases.
struct Reconciler: Worker {
  let name = "reconciler"
  let store: JobStore
  let relay: EventRelay
  let bell: QueueBell
  let settlements: WakeSignal
  let logger: Logger

  /// No creation takes so long: its own deadline is shorter.
  static let admittingPatience: Duration = .seconds(15)
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
    try await store.forgetOldKeys()
    for job in givenUp { logger.warning("stale admission given up", metadata: field(job)) }
    for job in reaped {
      logger.warning("expired lease taken back", metadata: field(job))
      await relay.announce(job)
    }
    if !reaped.isEmpty { bell.ring() }
    if !givenUp.isEmpty || !reaped.isEmpty { settlements.wake() }
  }

  private func field(_ job: JobID) -> Logger.Metadata { ["job_id": "\(job)"] }
}
