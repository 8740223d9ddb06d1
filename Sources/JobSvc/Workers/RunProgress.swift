internal import ServiceKit
internal import Synchronization

/// What a run reports on its way, stored for watchers: the newest of each stage, and no more often
/// than every ``interval``.
///
/// Whatever stays is stored once the interval is over or the run has ended, so that watchers see
/// every stage. A run shorter than ``briefest`` stores nothing but its end.
final class RunProgress: Sendable {
  private struct State {
    var provider: String?
    /// Reports that are not stored yet, one for each stage.
    var moves: [(stage: JobStage, progress: JobProgress)] = []
    /// The claim has told of this stage already.
    var stage = JobStage.preparing
    var progress: JobProgress?
  }

  /// Between two writes.
  static let interval: Duration = .milliseconds(200)
  /// Nobody can watch what is quicker.
  static let briefest: Duration = .milliseconds(50)
  /// Reports that wait for their write; a provider that goes to and fro loses those between.
  private static let maxWaiting = 8

  private let job: ClaimedJob
  private let jobs: JobStore
  private let relay: EventRelay
  private let state = Mutex(State())
  private let wake = WakeSignal()
  private let start = ContinuousClock.now

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
      if stage == state.stage || state.moves.count == Self.maxWaiting { _ = state.moves.popLast() }
      state.stage = stage
      state.progress = progress
      state.moves.append((stage, progress))
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

  /// Stores what a run that has ended left to be stored.
  ///
  /// - Returns: False when the job is not ours any more.
  func storeRest() async throws -> Bool {
    guard ContinuousClock.now - start >= Self.briefest else { return true }
    return try await write()
  }

  private func write() async throws -> Bool {
    let (provider, moves) = state.withLock { state in
      defer {
        state.provider = nil
        state.moves = []
      }
      return (state.provider, state.moves)
    }
    guard !moves.isEmpty else {
      if let provider { try await jobs.note(provider: provider, of: job) }
      return true
    }
    for (stage, progress) in moves {
      guard try await jobs.advance(job, stage: stage, progress: progress, provider: provider) else {
        return false
      }
    }
    await relay.announce(job.id)
    return true
  }
}
