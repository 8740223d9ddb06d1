/// When a client asks a silent peer for a sign of life (gRPC proposal A8).
package struct KeepaliveSettings: Sendable, Equatable {
  /// A period without a byte from the peer after which it is asked; servers refuse much shorter ones.
  package var time: Duration
  /// How long the peer may take to answer.
  package var timeout: Duration
  /// Whether a connection without calls is watched, too.
  package var permitsWithoutCalls: Bool

  package init(time: Duration, timeout: Duration, permitsWithoutCalls: Bool) {
    self.time = time
    self.timeout = timeout
    self.permitsWithoutCalls = permitsWithoutCalls
  }

  /// Between our services: a peer that is gone without a word is noticed within 29 s.
  package static let services = KeepaliveSettings(
    time: .seconds(10),
    timeout: .seconds(9),
    permitsWithoutCalls: true
  )
}

/// Watches one connection for silence.
///
/// No I/O and no clock: periods are counted, and a period in which the peer was heard costs one flag. A
/// peer that goes silent is noticed after less than two periods and the timeout.
struct Keepalive {
  enum Action: Equatable {
    /// Call ``timerFired(hasCalls:)`` after this time.
    case rest(Duration)
    case ping(thenRest: Duration)
    /// The peer is gone.
    case close
  }

  private enum State { case heard, silent, asked }

  let settings: KeepaliveSettings
  private var state = State.heard

  init(_ settings: KeepaliveSettings) {
    self.settings = settings
  }

  /// Bytes came.
  mutating func heard() { state = .heard }

  mutating func timerFired(hasCalls: Bool) -> Action {
    switch state {
    case .heard:
      state = .silent
      return .rest(settings.time)
    case .silent where hasCalls || settings.permitsWithoutCalls:
      state = .asked
      return .ping(thenRest: settings.timeout)
    case .silent: return .rest(settings.time)
    case .asked: return .close
    }
  }
}
