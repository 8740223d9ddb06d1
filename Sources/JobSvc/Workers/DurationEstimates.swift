internal import Synchronization

/// How long jobs of each type have been taking, as a moving average of this process.
final class DurationEstimates: Sendable {
  private let seconds = Mutex<[JobType: Double]>([:])

  /// Weight of the newest job.
  private static let weight = 0.2

  /// Takes one finished job into account.
  func note(_ type: JobType, _ duration: Duration) {
    let new = JobStore.seconds(duration)
    seconds.withLock { seconds in
      let old = seconds[type] ?? new
      seconds[type] = old + (new - old) * Self.weight
    }
  }

  /// Whole seconds until a job ends that has `ahead` jobs before it; at least 1.
  func estimate(_ type: JobType, ahead: Int64 = 0, concurrency: Int) -> Int32 {
    let one = seconds.withLock { $0[type] } ?? type.assumedSeconds
    let rounds = 1 + Double(max(0, ahead)) / Double(max(1, concurrency))
    return Int32(min(max((one * rounds).rounded(.up), 1), 86_400))
  }
}
