internal import Synchronization

/// Wakes one waiting loop; many wakes before it looks are one.
final class WakeSignal: Sendable {
  /// What the loop iterates over.
  let wakes: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() {
    (wakes, continuation) = AsyncStream.makeStream(
      of: Void.self,
      bufferingPolicy: .bufferingNewest(1)
    )
  }

  /// Makes the loop look.
  func wake() { continuation.yield() }

  /// Wakes every `interval` until cancelled: what was missed is found then.
  func wakeRegularly(every interval: Duration) async {
    while !Task.isCancelled {
      wake()
      try? await Task.sleep(for: interval)
    }
  }
}
