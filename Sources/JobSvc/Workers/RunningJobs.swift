internal import Foundation
internal import Synchronization

/// The jobs that this process runs, and their leases.
final class RunningJobs: Sendable {
  private let losses = Mutex<[UUID: AsyncStream<Void>.Continuation]>([:])

  /// Jobs that run.
  var count: Int { losses.withLock { $0.count } }
  /// Their leases.
  var leases: [UUID] { losses.withLock { Array($0.keys) } }

  /// Adds a lease; the stream ends when it is lost.
  func add(_ lease: UUID) -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    losses.withLock { $0[lease] = continuation }
    return stream
  }

  /// The job has ended here.
  func remove(_ lease: UUID) {
    losses.withLock { _ = $0.removeValue(forKey: lease) }
  }

  /// Another process, or a cancellation, has taken these jobs.
  func lose(_ lost: some Collection<UUID>) {
    let ended = losses.withLock { losses in lost.compactMap { losses[$0] } }
    for continuation in ended { continuation.finish() }
  }
}
