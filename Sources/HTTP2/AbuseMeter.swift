package import EventLoop

/// What a peer can do too much of.
package enum AbuseKind: String, Sendable, CaseIterable {
  case resetsReceived = "resets_received"
  case resetsSent = "resets_sent"
  case settings
  case pings
  case emptyData = "empty_data"
  case useless
  case headerBytes = "header_bytes"
}

/// One token bucket for each kind of abuse.
///
/// A bucket starts full and refills evenly over ``AbuseLimits/refill``. A kind that finds its bucket
/// empty has gone over its limit.
package struct AbuseMeter: Sendable {
  private struct Bucket {
    var tokens: Double
    var updated: MonotonicInstant
  }

  private let limits: AbuseLimits
  private let maxOversizedBlocks: Int
  private var buckets: [AbuseKind: Bucket] = [:]
  /// WINDOW_UPDATE frames that our data has called for: those are no abuse.
  private var expectedWindowUpdates = 0

  package init(limits: AbuseLimits, maxOversizedBlocks: Int) {
    self.limits = limits
    self.maxOversizedBlocks = maxOversizedBlocks
  }

  /// Counts one event; false when it is one too many.
  package mutating func count(_ kind: AbuseKind, at now: MonotonicInstant) -> Bool {
    let capacity = Double(capacity(of: kind))
    var bucket = buckets[kind] ?? Bucket(tokens: capacity, updated: now)
    let share = bucket.updated.duration(to: now) / limits.refill
    bucket.tokens = min(capacity, bucket.tokens + share * capacity)
    bucket.updated = now
    let allowed = bucket.tokens >= 1
    if allowed { bucket.tokens -= 1 }
    buckets[kind] = bucket
    return allowed
  }

  /// Notes one DATA frame of ours, which the peer may answer by WINDOW_UPDATE frames.
  package mutating func didSendData() {
    let expected = expectedWindowUpdates + limits.windowUpdatesPerData
    expectedWindowUpdates = min(expected, limits.useless)
  }

  /// Takes one of the WINDOW_UPDATE frames that our data called for; false when there is none left.
  package mutating func takeExpectedWindowUpdate() -> Bool {
    guard expectedWindowUpdates > 0 else { return false }
    expectedWindowUpdates -= 1
    return true
  }

  private func capacity(of kind: AbuseKind) -> Int {
    switch kind {
    case .resetsReceived: limits.resetsReceived
    case .resetsSent: limits.resetsSent
    case .settings: limits.settings
    case .pings: limits.pings
    case .emptyData: limits.emptyData
    case .useless: limits.useless
    // The last of them is the one that ends the connection.
    case .headerBytes: maxOversizedBlocks - 1
    }
  }
}
