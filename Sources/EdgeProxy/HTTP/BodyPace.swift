internal import EventLoop

/// Whether a body comes fast enough, measured over some seconds.
struct BodyPace {
  private var since = MonotonicInstant.now
  private var bytes = 0

  /// Notes bytes that came.
  mutating func count(_ count: Int) { bytes += count }

  /// Whether too little came since the last measurement; starts a new one when the time is over.
  mutating func isTooSlow(_ now: MonotonicInstant, _ limits: EdgeLimits) -> Bool {
    guard since.duration(to: now) >= limits.uploadRateTime else { return false }
    let needed = limits.uploadBytesPerSecond * Int(limits.uploadRateTime.components.seconds)
    defer {
      since = now
      bytes = 0
    }
    return bytes < needed
  }
}
