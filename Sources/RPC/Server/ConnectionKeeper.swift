internal import EventLoop

/// Decides when a server's connection pings, is left, or is given up (``ConnectionLimits``).
///
///     young → leaving (its age is reached) → over (the grace has passed)
///
/// Besides, in any of these: heard of → asked for a sign of life → heard of again, or given up.
/// Pure: the connection looks at it about once a second and tells it of pings.
struct ConnectionKeeper: Sendable {
  enum Action: Equatable {
    case nothing
    /// Ask the peer for a sign of life.
    case ping
    /// The age is reached: end gracefully.
    case leave
    /// The peer has not answered.
    case giveUp
    /// Calls have had their time after the age was reached.
    case cutOff
  }

  private enum Phase { case young, leaving(since: MonotonicInstant), over }

  /// Least time between two pings while there is no call.
  private static let intervalWithoutCalls = Duration.seconds(7_200)

  private let limits: ConnectionLimits
  private let leavesAt: MonotonicInstant?
  private var phase = Phase.young
  private var heardAt: MonotonicInstant
  private var lastReads = 0
  private var askedAt: MonotonicInstant?
  private var lastPing: MonotonicInstant?
  private var strikes = 0

  /// `chance`, -1…1, places this connection's age within the jitter.
  init(limits: ConnectionLimits, opened: MonotonicInstant, chance: Double) {
    self.limits = limits
    leavesAt = limits.maxAge.map { opened + $0 * (1 + limits.ageJitter * chance) }
    heardAt = opened
  }

  /// What is to be done now.
  ///
  /// - Parameters:
  ///   - now: The time.
  ///   - reads: How often bytes have come since the connection was opened.
  /// - Returns: One thing; the next look may bring another.
  mutating func look(at now: MonotonicInstant, reads: Int) -> Action {
    switch phase {
    case .young:
      if let leavesAt, now >= leavesAt {
        phase = .leaving(since: now)
        return .leave
      }
    case .leaving(let since):
      if let grace = limits.maxAgeGrace, since.duration(to: now) >= grace {
        phase = .over
        return .cutOff
      }
    case .over: return .nothing
    }
    return lookForLife(at: now, reads: reads)
  }

  private mutating func lookForLife(at now: MonotonicInstant, reads: Int) -> Action {
    if reads != lastReads {
      lastReads = reads
      heardAt = now
      askedAt = nil
    }
    if let askedAt {
      guard askedAt.duration(to: now) >= limits.keepaliveTimeout else { return .nothing }
      phase = .over
      return .giveUp
    }
    guard let time = limits.keepaliveTime, heardAt.duration(to: now) >= time else {
      return .nothing
    }
    askedAt = now
    return .ping
  }

  /// Notes a ping of the peer.
  ///
  /// - Parameters:
  ///   - now: The time.
  ///   - hasCalls: A call is open.
  ///   - hasSent: We have sent headers or data since the last ping: the peer may have had to
  ///     measure the connection.
  /// - Returns: False when it is one too many.
  mutating func pingCame(
    at now: MonotonicInstant,
    hasCalls: Bool,
    hasSent: Bool
  ) -> Bool {
    if hasSent {
      strikes = 0
      lastPing = nil
    }
    let interval =
      hasCalls || limits.permitsPingsWithoutCalls
      ? limits.minPingInterval : max(limits.minPingInterval, Self.intervalWithoutCalls)
    if let lastPing, lastPing.duration(to: now) < interval { strikes += 1 }
    lastPing = now
    return limits.maxPingStrikes == 0 || strikes <= limits.maxPingStrikes
  }
}
