package import EventLoop

/// Notices that a connection has not moved for too long.
///
/// Looked at about once a second with counters that cost nothing to keep; no clock is read for a
/// frame. A limit is therefore kept with the precision of one look.
package struct ConnectionWatch: Sendable {
  /// What the connection has done so far.
  package struct Progress: Sendable {
    /// The peer's SETTINGS have come.
    package var isSettled: Bool
    /// Streams that the peer has opened since the beginning.
    package var openedStreams: Int
    /// Streams, and handlers of streams that are gone, that still work.
    package var busy: Int
    /// Number of the header block that has begun and not ended.
    package var openBlock: Int?

    package init(isSettled: Bool, openedStreams: Int, busy: Int, openBlock: Int? = nil) {
      self.isSettled = isSettled
      self.openedStreams = openedStreams
      self.busy = busy
      self.openBlock = openBlock
    }
  }

  private let limits: HTTP2TimeLimits
  private let opened: MonotonicInstant
  private var idleSince: MonotonicInstant
  private var lastOpened = 0
  private var block: (number: Int, since: MonotonicInstant)?

  package init(limits: HTTP2TimeLimits, opened: MonotonicInstant) {
    self.limits = limits
    self.opened = opened
    idleSince = opened
  }

  /// What the peer has failed to do in time; nil while all is well.
  package mutating func look(
    at now: MonotonicInstant,
    _ progress: Progress
  ) -> HTTP2Timeout? {
    let isLate = opened.duration(to: now) >= limits.header
    if isLate, !progress.isSettled { return .preface }
    if isLate, limits.requiresEarlyRequest, progress.openedStreams == 0 { return .preface }
    if blockIsLate(progress.openBlock, now) { return .headers }
    if progress.busy > 0 || progress.openedStreams != lastOpened { idleSince = now }
    lastOpened = progress.openedStreams
    return idleSince.duration(to: now) >= limits.idle ? .idle : nil
  }

  private mutating func blockIsLate(_ number: Int?, _ now: MonotonicInstant) -> Bool {
    guard let number else {
      block = nil
      return false
    }
    guard let block, block.number == number else {
      block = (number, now)
      return false
    }
    return block.since.duration(to: now) >= limits.header
  }
}

/// Notices that a peer takes almost nothing of what waits for it.
struct WriteWatch: Sendable {
  private var since: MonotonicInstant?
  private var mark = 0

  /// Whether bytes have waited for the whole stall time while hardly any were taken.
  mutating func isStalled(
    at now: MonotonicInstant,
    sent: Int,
    pending: Int,
    _ limits: HTTP2TimeLimits
  ) -> Bool {
    guard pending > 0, let since else {
      self.since = pending > 0 ? now : nil
      mark = sent
      return false
    }
    guard since.duration(to: now) >= limits.writeStall else { return false }
    guard sent - mark >= limits.writeStallBytes else { return true }
    self.since = now
    mark = sent
    return false
  }
}

/// Notices that a body comes too slowly.
package struct BodyWatch: Sendable {
  private var since: MonotonicInstant?
  private var moved: MonotonicInstant?
  private var mark = 0

  package init() {}

  /// Whether the peer owes us bytes and has kept us waiting.
  ///
  /// `received` counts the bytes of the body until now; `isOwed` says that the peer is in the middle
  /// of something and free to send.
  package mutating func isLate(
    at now: MonotonicInstant,
    received: Int,
    isOwed: Bool,
    _ limits: HTTP2TimeLimits
  ) -> Bool {
    guard isOwed, let since, let moved else {
      self.since = isOwed ? now : nil
      self.moved = isOwed ? now : nil
      mark = received
      return false
    }
    if received != mark {
      self.moved = now
      mark = received
    } else if moved.duration(to: now) >= limits.bodyPause {
      return true
    }
    return since.duration(to: now) >= limits.body
  }
}
