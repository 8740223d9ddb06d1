internal import CHiredis
internal import EventLoop

/// Whoever owns a context: an actor pinned to its loop.
protocol RedisContextOwner: Actor {
  /// The socket of context `id` is ready; enters the actor and calls `RedisContext.handle`.
  nonisolated func contextIsReady(_ id: Int, _ events: FDEvents)
  /// Context `id` has events; enters the actor and takes them.
  nonisolated func contextHasEvents(_ id: Int)
}

/// Drives one connection of hiredis, on its owner's loop.
///
/// hiredis calls back in the middle of its work; the callbacks only record what happened, and the
/// owner acts on `takeEvents()` afterwards. Commands gather in a turn of the loop and leave in one
/// write at its end. The owner must call `close()` before it drops a context.
final class RedisContext: TurnFlushable {
  enum Event {
    case connected
    /// An answer to the oldest command, or on a subscribed connection any message.
    case reply(RedisValue)
    /// The connection ended before the answer to the oldest command.
    case noReply
    /// The context is gone; the reason. Not after `close`.
    case ended(String)
  }

  let id: Int
  private let loop: EventLoop
  private let signal: () -> Void
  // nil once hiredis has freed it, after a failed connect and after a disconnect.
  private var raw: UnsafeMutablePointer<redisAsyncContext>?
  private var watcher: FDWatcher?
  private var interest: FDEvents = []
  private var events: [Event] = []
  private(set) var isConnected = false
  private var isFlushQueued = false
  // Asking a Unix socket for keep-alive would set the context's error, and so end it.
  private let isTCP: Bool

  /// Starts connecting to a numeric address or a socket's path.
  ///
  /// - Throws: ``RedisError/Kind/unavailable`` when it fails at once.
  init<Owner: RedisContextOwner>(
    id: Int,
    loop: EventLoop,
    to address: SocketAddress,
    owner: Owner
  ) throws(RedisError) {
    self.id = id
    self.loop = loop
    signal = { [weak owner] in owner?.contextHasEvents(id) }
    let raw: UnsafeMutablePointer<redisAsyncContext>?
    switch address {
    case .unix(let path):
      isTCP = false
      raw = redisAsyncConnectUnix(path)
    case .v4, .v6:
      isTCP = true
      raw = redisAsyncConnect(address.host, Int32(address.port))
    }
    guard let raw else { throw RedisError(.unavailable, "redisAsyncConnect: out of memory") }
    guard raw.pointee.err == 0 else {
      let message = Self.message(of: raw)
      redisAsyncFree(raw)
      throw RedisError(.unavailable, message)
    }
    self.raw = raw
    let descriptor = chiredis_descriptor(raw)
    do {
      watcher = try loop.watch(descriptor, for: []) { [weak owner] events in
        owner?.contextIsReady(id, events)
      }
    } catch {
      redisAsyncFree(raw)
      self.raw = nil
      throw RedisError(.unavailable, "watching the socket: \(error)")
    }
    attach(raw)
  }

  private func attach(_ raw: UnsafeMutablePointer<redisAsyncContext>) {
    let this = Unmanaged.passUnretained(self).toOpaque()
    raw.pointee.data = this
    raw.pointee.ev.data = this
    raw.pointee.ev.addRead = { RedisContext.of($0)?.want(.readable, true) }
    raw.pointee.ev.delRead = { RedisContext.of($0)?.want(.readable, false) }
    raw.pointee.ev.addWrite = { RedisContext.of($0)?.want(.writable, true) }
    raw.pointee.ev.delWrite = { RedisContext.of($0)?.want(.writable, false) }
    raw.pointee.ev.cleanup = { RedisContext.of($0)?.unwatch() }
    redisAsyncSetConnectCallback(raw) { raw, status in
      RedisContext.of(raw?.pointee.data)?.didConnect(status)
    }
    redisAsyncSetDisconnectCallback(raw) { raw, _ in
      RedisContext.of(raw?.pointee.data)?.didDisconnect()
    }
  }

  private static func of(_ data: UnsafeMutableRawPointer?) -> RedisContext? {
    data.map { Unmanaged<RedisContext>.fromOpaque($0).takeUnretainedValue() }
  }

  private static func message(of raw: UnsafeMutablePointer<redisAsyncContext>) -> String {
    // In the callbacks `err` of the outer context may still be 0; the inner one has the reason.
    guard chiredis_error_code(raw) != 0, let text = chiredis_error(raw) else {
      return "the connection ended"
    }
    return String(cString: text)
  }

  // MARK: Callbacks

  private func want(_ event: FDEvents, _ wanted: Bool) {
    if wanted { interest.insert(event) } else { interest.remove(event) }
  }

  private func unwatch() {
    watcher?.close()
    watcher = nil
  }

  private func didConnect(_ status: Int32) {
    guard status == REDIS_OK else { return end() }
    isConnected = true
    if isTCP, let raw { _ = chiredis_keep_alive(raw) }
    events.append(.connected)
  }

  private func didDisconnect() { end() }

  /// hiredis frees the context when its callback returns.
  private func end() {
    guard let raw else { return }
    events.append(.ended(Self.message(of: raw)))
    self.raw = nil
  }

  private static let didReply:
    @convention(c) (
      UnsafeMutablePointer<redisAsyncContext>?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
    ) -> Void = { raw, reply, _ in
      guard let context = RedisContext.of(raw?.pointee.data) else { return }
      guard let reply = reply?.assumingMemoryBound(to: redisReply.self) else {
        context.events.append(.noReply)
        return
      }
      context.events.append(.reply(RedisValue(copying: reply)))
    }

  // MARK: Driving

  /// Adds a command to what leaves at the end of this turn.
  ///
  /// - Returns: false when the connection is gone.
  func send(_ command: RedisCommand) -> Bool {
    guard let raw else { return false }
    let isTaken = command.withTerminatedBytes { start, count in
      redisAsyncFormattedCommand(raw, Self.didReply, nil, start, count) == REDIS_OK
    }
    if isTaken, isConnected, !isFlushQueued {
      isFlushQueued = true
      loop.enqueueFlush(self)
    }
    return isTaken
  }

  package func flush() {
    isFlushQueued = false
    guard let raw else { return }
    redisAsyncHandleWrite(raw)
    updateWatcher()
    if !events.isEmpty { signal() }
  }

  /// Reads and writes what the socket is ready for; the caller takes the events afterwards.
  func handle(_ ready: FDEvents) {
    if ready.contains(.readable), let raw { redisAsyncHandleRead(raw) }
    if ready.contains(.writable), interest.contains(.writable), let raw {
      redisAsyncHandleWrite(raw)
    }
    updateWatcher()
  }

  private func updateWatcher() { watcher?.update(interest) }

  /// Starts to watch; called once, when the owner knows this context.
  func begin() { updateWatcher() }

  func takeEvents() -> [Event] {
    defer { events.removeAll(keepingCapacity: false) }
    return events
  }

  /// Ends the connection now; commands without an answer appear as ``Event/noReply``.
  func close() {
    unwatch()
    guard let raw else { return }
    self.raw = nil
    redisAsyncFree(raw)
  }
}

extension RedisCommand {
  /// hiredis looks for arguments with `strchr`, so a NUL must follow.
  fileprivate func withTerminatedBytes<Result>(
    _ body: (UnsafePointer<CChar>?, Int) -> Result
  ) -> Result {
    precondition(isFinished, "the command is not finished")
    return bytes.withUnsafeBytes { buffer in
      body(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count - 1)
    }
  }
}

extension RedisValue {
  /// Copies a reply, which hiredis frees after its callback.
  init(copying reply: UnsafeMutablePointer<redisReply>) {
    let value = reply.pointee
    switch value.type {
    case REDIS_REPLY_INTEGER: self = .integer(Int(value.integer))
    case REDIS_REPLY_STRING: self = .bytes(Self.bytes(value))
    case REDIS_REPLY_STATUS: self = .status(String(decoding: Self.bytes(value), as: UTF8.self))
    case REDIS_REPLY_ERROR: self = .error(String(decoding: Self.bytes(value), as: UTF8.self))
    case REDIS_REPLY_ARRAY:
      var members: [RedisValue] = []
      members.reserveCapacity(value.elements)
      for index in 0..<value.elements {
        guard let member = value.element?[index] else { continue }
        members.append(RedisValue(copying: member))
      }
      self = .array(members)
    default: self = .null
    }
  }

  private static func bytes(_ reply: redisReply) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: reply.str, count: reply.len))
  }
}
