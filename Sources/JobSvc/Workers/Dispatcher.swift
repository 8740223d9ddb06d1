internal import Foundation
internal import Logging
internal import Postgres
internal import ServiceKit

/// Claims jobs as long as it has room, runs each, and renews their leases.
struct Dispatcher: Worker {
  let name = "dispatcher"
  /// This process, as the owner of leases.
  let owner: UUID
  let store: JobStore
  let runner: JobRunner
  let wake: WakeSignal
  let settings: Settings
  let logger: Logger
  private let running = RunningJobs()

  struct Settings: Sendable {
    /// Jobs at once.
    var concurrency: Int
    /// Length of a lease; renewed three times within it.
    var lease: Duration
  }

  private static let pollInterval: Duration = .seconds(1)
  /// Jobs that are queued, and places that become free, within this time are claimed together.
  private static let claimInterval: Duration = .milliseconds(10)

  init(
    owner: UUID,
    store: JobStore,
    runner: JobRunner,
    wake: WakeSignal,
    settings: Settings,
    logger: Logger
  ) {
    self.owner = owner
    self.store = store
    self.runner = runner
    self.wake = wake
    self.settings = settings
    self.logger = logger
  }

  func run() async throws {
    await withDiscardingTaskGroup { group in
      group.addTask { await wake.wakeRegularly(every: Self.pollInterval) }
      group.addTask { await listen() }
      group.addTask { await renewLeases() }
      for await _ in wake.wakes {
        let claimed = await claim()
        for job in claimed {
          let loss = running.add(job.lease)
          group.addTask { await execute(job, loss) }
        }
        if !claimed.isEmpty { try? await Task.sleep(for: Self.claimInterval) }
      }
      group.cancelAll()
    }
    await handBack()
  }

  private func claim() async -> [ClaimedJob] {
    let room = settings.concurrency - running.count
    guard room > 0 else { return [] }
    do {
      return try await store.claim(limit: room, owner: owner, lease: settings.lease)
    } catch {
      if !Task.isCancelled { logger.warning("claim failed", metadata: ["error": "\(error)"]) }
      return []
    }
  }

  /// Runs the job until it has ended or is not ours any more.
  private func execute(_ job: ClaimedJob, _ loss: AsyncStream<Void>) async {
    await LogContext.$current.withValue(LogContext(userID: job.user, jobID: job.id)) {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await runner.run(job) }
        group.addTask {
          for await _ in loss {}
          if !Task.isCancelled { await runner.stopIfCancelled(job) }
        }
        // Whichever ends first ends the other.
        await group.next()
        group.cancelAll()
      }
    }
    running.remove(job.lease)
    wake.wake()
  }

  private func renewLeases() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: settings.lease / 3)
      let leases = running.leases
      guard !leases.isEmpty, !Task.isCancelled else { continue }
      do {
        let kept = try await store.renew(leases, lease: settings.lease)
        running.lose(leases.filter { !kept.contains($0) })
      } catch {
        logger.warning("leases not renewed", metadata: ["error": "\(error)"])
      }
    }
  }

  private func listen() async {
    for await _ in store.database.listen(QueueBell.channel) { wake.wake() }
  }

  /// Returns unfinished jobs, so that another process goes on at once; a stop is no failed attempt.
  private func handBack() async {
    let store = store
    let owner = owner
    // The worker's own task is cancelled by now, and its statements would be, too.
    let returned = await Task { try? await store.handBack(owner: owner) }.value ?? []
    for job in returned { logger.info("job handed back", metadata: ["job_id": "\(job)"]) }
  }
}
