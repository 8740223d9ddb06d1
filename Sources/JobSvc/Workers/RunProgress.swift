internal import ServiceKit
internal import Synchronization

/// What a run reports on its way, stored for watchers: the newest only, and no more often than every
/// ``interval``.
///
/// A run that is quicker stores nothing but its end. Whatever stays is stored once the interval is
/// over, so that watchers see the stage that a run stands at.
final class RunProgress: Sendable {
  private struct State {
    var provider: String?
    var move: (stage: JobStage, progress: JobProgress)?
    /// The claim has told of this stage already.
    var stage = JobStage.preparing
    var progress: JobProgress?
  }

  /// Between two writes.
  static let interval: Duration = .milliseconds(200)

  private let job: ClaimedJob
  private let jobs: JobStore
  private let relay: EventRelay
  private let state = Mutex(State())
  private let wake = WakeSignal()

  /// Of one claimed job.
  init(of job: ClaimedJob, store: JobStore, relay: EventRelay) {
    self.job = job
    jobs = store
    self.relay = relay
  }

  /// A provider took the job.
  func accepted(by provider: String) {
    state.withLock { $0.provider = provider }
    wake.wake()
  }

  /// The run stands at a stage; a report that says nothing new is dropped.
  func moved(to stage: JobStage, _ progress: JobProgress) {
    let isNew = state.withLock { state in
      guard stage != state.stage || progress != state.progress else { return false }
      state.stage = stage
      state.progress = progress
      state.move = (stage, progress)
      return true
    }
    if isNew { wake.wake() }
  }

  /// Stores reports until the task is cancelled.
  ///
  /// - Returns: False when the job is not ours any more.
  func store() async throws -> Bool {
    var next = ContinuousClock.now + Self.interval
    for await _ in wake.wakes {
      try await Task.sleep(until: next, clock: .continuous)
      // A write that has begun ends, so that the end of the job does not overtake it.
      guard try await Task(operation: { try await write() }).value else { return false }
      next = .now + Self.interval
    }
    return true
  }

  private func write() async throws -> Bool {
    let (provider, move) = state.withLock { state in
      defer {
        state.provider = nil
        state.move = nil
      }
      return (state.provider, state.move)
    }
    guard let move else {
      if let provider { try await jobs.note(provider: provider, of: job) }
      return true
    }
    let isOurs = try await jobs.advance(
      job,
      stage: move.stage,
      progress: move.progress,
      provider: provider
    )
    if isOurs { await relay.announce(job.id) }
    return isOurs
  }
}
