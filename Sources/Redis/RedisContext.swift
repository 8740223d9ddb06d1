internal import CHiredis
internal import EventLoop

/// Whoever owns a context; called on the loop only.
protocol RedisContextOwner: AnyObject, Sendable {
  /// Commands can be sent.
  func contextDidConnect(_ id: Int)
  /// An answer to the oldest command, or on a subscribed connection any message.
  func context(_ id: Int, didReceive value: RedisValue)
  /// The connection has ended; the reason. Not after `close`.
  func contextDidEnd(_ id: Int, _ reason: String)
}

/// Drives one connection of hiredis, on its owner's loop.
///
/// hiredis connects, reads and parses; it is never inside one of its functions when the owner is told
/// something, so the owner may send and close then. Commands gather in a turn of the loop and leave in
/// one write at its end. The owner must call `close()` before it drops a context.
final class RedisContext: TurnFlushable {
  let id: Int
  private let loop: EventLoop
  private unowned let owner: any RedisContextOwner
  /// nil once the connection has ended.
  private var raw: UnsafeMutablePointer<redisContext>?
  private var watcher: FDWatcher?
  // Unchecked: nothing that uses it calls back.
  @exclusivity(unchecked)
  private var output = RedisOutput()
  private var isConnected = false
  private var isFlushQueued = false
  // Asking a Unix socket for keep-alive would set the context's error.
  private let isTCP: Bool

  /// Starts connecting to a numeric address or a socket's path; goes on with `begin()`.
  ///
  /// - Throws: ``RedisError/Kind/unavailable`` when it fails at once.
  init(
    id: Int,
    loop: EventLoop,
    to address: SocketAddress,
    owner: any RedisContextOwner
  ) throws(RedisError) {
    self.id = id
    self.loop = loop
    self.owner = owner
    let raw: UnsafeMutablePointer<redisContext>?
    switch address {
    case .unix(let path):
      isTCP = false
      raw = redisConnectUnixNonBlock(path)
    case .v4, .v6:
      isTCP = true
      raw = redisConnectNonBlock(address.host, Int32(address.port))
    }
    guard let raw else { throw RedisError(.unavailable, "redisConnect: out of memory") }
    guard raw.pointee.err == 0 else {
      let message = Self.message(of: raw)
      redisFree(raw)
      throw RedisError(.unavailable, message)
    }
    self.raw = raw
    do {
      // Ended by `close()`.
      watcher = try loop.watch(raw.pointee.fd, for: []) { self.handle($0) }
    } catch {
      self.raw = nil
      redisFree(raw)
      throw RedisError(.unavailable, "watching the socket: \(error)")
    }
  }

  deinit {
    // A loop that has stopped drops its watchers without a word to their owners.
    if let raw { redisFree(raw) }
  }

  private static func message(of raw: UnsafeMutablePointer<redisContext>) -> String {
    guard raw.pointee.err != 0, let text = chiredis_error(raw) else {
      return "the connection ended"
    }
    return String(cString: text)
  }

  /// Starts to watch; called once, when the owner knows this context.
  func begin() { updateWatcher() }

  /// Ends the connection now; nothing is told afterwards.
  func close() {
    watcher?.close()
    watcher = nil
    guard let raw else { return }
    self.raw = nil
    redisFree(raw)
  }

  private func end(_ reason: String) {
    guard raw != nil else { return }
    close()
    owner.contextDidEnd(id, reason)
  }

  // MARK: Driving

  /// Adds a command to what leaves at the end of this turn.
  ///
  /// - Returns: false when the connection is gone.
  func send(_ command: RedisCommand) -> Bool {
    guard raw != nil else { return false }
    command.write(to: &output)
    if isConnected, !isFlushQueued {
      isFlushQueued = true
      loop.enqueueFlush(self)
    }
    return true
  }

  func flush() {
    isFlushQueued = false
    write()
    updateWatcher()
  }

  /// Reads and writes what the socket is ready for.
  private func handle(_ ready: FDEvents) {
    guard isConnected || finishConnecting() else { return }
    if ready.rawValue & FDEvents.readable.rawValue != 0 { read() }
    write()
    updateWatcher()
  }

  private func updateWatcher() {
    watcher?.update(readable: isConnected, writable: !isConnected || !output.isEmpty)
  }

  private func finishConnecting() -> Bool {
    guard let raw else { return false }
    let code = chiredis_connect_error(raw)
    guard code == 0 else {
      end(String(cString: strerror(code)))
      return false
    }
    isConnected = true
    if isTCP { redisEnableKeepAlive(raw) }
    owner.contextDidConnect(id)
    return true
  }

  /// Tells the owner every answer that has come as a whole.
  private func read() {
    guard let raw else { return }
    guard redisBufferRead(raw) == REDIS_OK else { return end(Self.message(of: raw)) }
    // The owner may close the connection at any answer.
    let owner = owner
    while let raw = self.raw {
      var answer: UnsafeMutableRawPointer?
      guard redisGetReplyFromReader(raw, &answer) == REDIS_OK else {
        return end(Self.message(of: raw))
      }
      guard let answer else { return }
      let value = RedisValue(copying: answer.assumingMemoryBound(to: redisReply.self))
      freeReplyObject(answer)
      owner.context(id, didReceive: value)
    }
  }

  private func write() {
    guard let raw, isConnected, !output.isEmpty else { return }
    let unsent = output.unsent
    let sent = chiredis_send(raw, unsent.baseAddress, unsent.count)
    guard sent >= 0 else { return end(String(cString: strerror(Int32(-sent)))) }
    output.drop(sent)
  }
}

extension RedisValue {
  /// Copies a reply, which is the caller's to free.
  init(copying reply: UnsafeMutablePointer<redisReply>) {
    switch reply.pointee.type {
    case REDIS_REPLY_INTEGER: self = .integer(Int(reply.pointee.integer))
    case REDIS_REPLY_STRING: self = .bytes(Array(Self.bytes(reply)))
    case REDIS_REPLY_STATUS: self = .status(String(decoding: Self.bytes(reply), as: UTF8.self))
    case REDIS_REPLY_ERROR: self = .error(String(decoding: Self.bytes(reply), as: UTF8.self))
    case REDIS_REPLY_ARRAY:
      var members: [RedisValue] = []
      members.reserveCapacity(reply.pointee.elements)
      for index in 0..<reply.pointee.elements {
        guard let member = reply.pointee.element?[index] else { continue }
        members.append(RedisValue(copying: member))
      }
      self = .array(members)
    default: self = .null
    }
  }

  private static func bytes(_ reply: UnsafeMutablePointer<redisReply>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.len)
  }
}
