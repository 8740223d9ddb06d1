internal import CUV

/// A one-shot timer of a loop.
///
/// Loop only, not `Sendable`.
///
/// It keeps itself alive until it fires or is cancelled.
package final class LoopTimer {
  private var handle: UnsafeMutablePointer<uv_timer_t>?
  private var work: (() -> Void)?
  private unowned let loop: EventLoop

  fileprivate init(loop: EventLoop, work: @escaping () -> Void) {
    self.loop = loop
    self.work = work
  }

  /// Whether the timer still waits.
  package var isActive: Bool { handle != nil }

  /// Stops the timer; nothing happens when it has fired already.
  package func cancel() {
    guard let handle else { return }
    release(handle)
    work = nil
  }

  fileprivate func start(milliseconds: UInt64) {
    let handle = loop.takeTimerHandle()
    self.handle = handle
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    uv_timer_start(
      handle,
      { handle in
        guard let data = handle?.pointee.data else { return }
        Unmanaged<LoopTimer>.fromOpaque(data).takeUnretainedValue().fire()
      },
      milliseconds,
      0
    )
  }

  private func fire() {
    guard let handle else { return }
    let work = work
    self.work = nil
    release(handle)
    work?()
  }

  private func release(_ handle: UnsafeMutablePointer<uv_timer_t>) {
    self.handle = nil
    uv_timer_stop(handle)
    handle.pointee.data = nil
    loop.returnTimerHandle(handle)
    Unmanaged.passUnretained(self).release()
  }
}

extension EventLoop {
  /// Runs `work` once after `delay`, rounded up to whole milliseconds.
  ///
  /// Loop only.
  package func schedule(after delay: Duration, _ work: @escaping () -> Void) -> LoopTimer {
    preconditionCurrent()
    let timer = LoopTimer(loop: self, work: work)
    // uv_timer counts from the start of the turn: a long turn would shorten the delay.
    uv_update_time(uv)
    timer.start(milliseconds: delay.wholeMilliseconds)
    return timer
  }

  fileprivate func takeTimerHandle() -> UnsafeMutablePointer<uv_timer_t> {
    if let handle = freeTimers.popLast() { return handle }
    let handle = UnsafeMutablePointer<uv_timer_t>.allocate(capacity: 1)
    uv_timer_init(uv, handle)
    return handle
  }

  fileprivate func returnTimerHandle(_ handle: UnsafeMutablePointer<uv_timer_t>) {
    freeTimers.append(handle)
  }
}

extension Duration {
  /// Milliseconds, rounded up; 0 for a negative duration.
  package var wholeMilliseconds: UInt64 {
    guard self > .zero else { return 0 }
    let (seconds, attoseconds) = components
    let roundedUp = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    return UInt64(seconds) * 1_000 + UInt64(roundedUp)
  }
}
