internal import Synchronization

/// Decides rate limits in this process alone, while Redis does not answer.
///
/// Shared by all loops. Bounded: with too many buckets the idle ones go, then all.
final class LocalLimiter: Sendable {
  /// Buckets kept at most; each takes some 200 bytes.
  static let maxBuckets = 50_000

  private struct Entry {
    var window = SlidingWindow()
    /// When nothing in it counts any more.
    var expires: Int64 = 0
  }

  private let entries = Mutex<[String: Entry]>([:])
  private let maximum: Int

  init(maximum: Int = LocalLimiter.maxBuckets) {
    self.maximum = maximum
  }

  /// Decides one request and counts it if every bucket has room.
  ///
  /// `now` is in microseconds since a fixed start.
  func decide(_ buckets: [RateBucket], at now: Int64) -> RateDecision {
    entries.withLock { entries in
      Self.makeRoom(for: buckets.count, in: &entries, at: now, maximum)
      var windows = buckets.map { bucket in
        var window = entries[bucket.key]?.window ?? SlidingWindow()
        window.advance(to: now, bucket.window)
        return window
      }
      let waits = zip(windows, buckets).map { $0.wait(at: now, $1.window) }
      let wait = waits.max() ?? 0
      if wait == 0 {
        for index in windows.indices {
          windows[index].spend()
          let life = Int64(buckets[index].window.seconds) * 1_050_000
          entries[buckets[index].key] = Entry(window: windows[index], expires: now + life)
        }
      }
      return Self.decision(buckets, windows, wait: wait, at: now)
    }
  }

  private static func decision(
    _ buckets: [RateBucket],
    _ windows: [SlidingWindow],
    wait: Int64,
    at now: Int64
  ) -> RateDecision {
    let states = zip(buckets, windows).map { bucket, window in
      RateState(
        bucket: bucket,
        remaining: max(0, bucket.window.limit - window.used),
        resetMilliseconds: milliseconds(window.reset(at: now, bucket.window))
      )
    }
    return RateDecision(
      isAllowed: wait == 0,
      states: states,
      retryMilliseconds: milliseconds(wait)
    )
  }

  private static func makeRoom(
    for count: Int,
    in entries: inout [String: Entry],
    at now: Int64,
    _ maximum: Int
  ) {
    guard entries.count + count > maximum else { return }
    entries = entries.filter { $0.value.expires > now }
    if entries.count + count > maximum { entries.removeAll() }
  }

  private static func milliseconds(_ microseconds: Int64) -> Int {
    Int((microseconds + 999) / 1000)
  }
}
