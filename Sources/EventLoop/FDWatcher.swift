internal import CUV

/// What a descriptor is ready for, or is watched for.
package struct FDEvents: OptionSet, Sendable {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }

  /// Bytes, a connection or an end of file can be read.
  package static let readable = FDEvents(rawValue: 1)
  /// Bytes can be written.
  package static let writable = FDEvents(rawValue: 2)
}

/// Watches one descriptor for readiness.
///
/// Loop only, not `Sendable`.
///
/// One watcher a descriptor; close the watcher before the descriptor. The watcher keeps itself alive
/// until `close()`. An error of the socket is delivered as readable **and** writable, so that the
/// owner's next read or write reports it: libuv itself gives no events then and stops watching.
package final class FDWatcher {
  private var handle: UnsafeMutablePointer<uv_poll_t>?
  private var handler: (FDEvents) -> Void
  private var interest: FDEvents = []

  fileprivate init(
    loop: EventLoop,
    descriptor: Int32,
    handler: @escaping (FDEvents) -> Void
  ) throws(EventLoopError) {
    self.handler = handler
    let handle = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
    do {
      try check("uv_poll_init", uv_poll_init(loop.uv, handle, descriptor))
    } catch {
      handle.deallocate()
      throw error
    }
    self.handle = handle
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
  }

  /// Changes what is watched for; the empty set pauses.
  package func update(_ events: FDEvents) {
    guard let handle, events != interest else { return }
    interest = events
    if events.isEmpty {
      uv_poll_stop(handle)
    } else {
      uv_poll_start(handle, events.rawValue, Self.ready)
    }
  }

  /// The same for those who know two conditions rather than a set.
  package func update(readable: Bool, writable: Bool) {
    update(FDEvents(rawValue: (readable ? 1 : 0) | (writable ? 2 : 0)))
  }

  /// Ends watching; no event is delivered afterwards.
  package func close() {
    guard let handle else { return }
    self.handle = nil
    handler = { _ in }
    handle.pointee.data = nil
    let base = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
    uv_close(base) { base in
      UnsafeMutableRawPointer(base)?.assumingMemoryBound(to: uv_poll_t.self).deallocate()
    }
    Unmanaged.passUnretained(self).release()
  }

  private static let ready: uv_poll_cb = { handle, status, events in
    guard let data = handle?.pointee.data else { return }
    let watcher = Unmanaged<FDWatcher>.fromOpaque(data).takeUnretainedValue()
    guard status >= 0 else {
      watcher.interest = []
      watcher.handler([.readable, .writable])
      return
    }
    watcher.handler(FDEvents(rawValue: events & 3))
  }
}

extension EventLoop {
  /// Watches `descriptor`, which stays the caller's, for `events`.
  ///
  /// Loop only.
  package func watch(
    _ descriptor: Int32,
    for events: FDEvents,
    _ handler: @escaping (FDEvents) -> Void
  ) throws(EventLoopError) -> FDWatcher {
    preconditionCurrent()
    let watcher = try FDWatcher(loop: self, descriptor: descriptor, handler: handler)
    watcher.update(events)
    return watcher
  }
}
