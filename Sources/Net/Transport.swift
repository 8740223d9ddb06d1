internal import CSockets
package import EventLoop

/// What a transport tells its owner; every call is on the transport's loop.
package protocol TransportDelegate: AnyObject {
  /// The connection stands and, with TLS, the peer is authenticated.
  func transportDidOpen(_ transport: Transport)
  /// Bytes came in; they are valid during the call only.
  func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer)
  /// The peer sends no more; it may still read.
  func transportDidReceiveEOF(_ transport: Transport)
  /// Appends what there is to send, up to about one buffer's worth; called at the end of a turn after
  /// `setNeedsFlush()` and again whenever the socket has taken everything, until nothing is appended.
  func transport(_ transport: Transport, fill buffer: inout OutputBuffer)
  /// The connection is gone; called once, and nothing after it. `error` is nil for an orderly end.
  func transportDidClose(_ transport: Transport, error: NetError?)
}

/// What one connection may take of our time, and of our patience at its end.
package struct TransportLimits: Sendable {
  /// From the start of a connect to the end of the handshake of TCP.
  package var connectTimeout: Duration = .seconds(20)
  /// From accept to the end of the TLS handshake.
  package var handshakeTimeout: Duration = .seconds(5)
  /// How long a peer may take none of our bytes while some wait.
  package var writeStallTimeout: Duration = .seconds(30)
  /// How long a peer's kernel may acknowledge none of our bytes (TCP_USER_TIMEOUT).
  ///
  /// Never less than ``writeStallTimeout``, whose end says what has happened.
  package var acknowledgementTimeout: Duration = .seconds(30)
  /// Bytes that our kernel holds of a connection before it may send them (TCP_NOTSENT_LOWAT).
  package var unsentBytes = 128 * 1_024
  /// After our last byte: how long a peer may take to close its side.
  package var lingerTimeout: Duration = .seconds(2)
  /// Bytes dropped in that time, before the connection is cut.
  package var lingerBytes = 1_024 * 1_024

  package init() {}
}

/// One stream connection, TCP or Unix, plain or TLS. Loop only.
///
///     connecting → handshaking → open → lingering → closed
///
/// `connecting` only for a client, `handshaking` only with TLS; `close()` leads from each to `closed`.
/// It stays alive until closed, and keeps its delegate alive until then.
// @unchecked: confined to its loop; every entry comes from the loop or checks that it does.
package final class Transport: TurnFlushable, @unchecked Sendable {
  private enum State { case connecting, handshaking, open, lingering, closed }

  /// The loop that the connection lives on.
  package let loop: EventLoop
  /// Who is at the other end; for a Unix socket without a name an empty path.
  package let peerAddress: SocketAddress
  /// The protocol that TLS agreed on; nil without TLS.
  package private(set) var alpn: String?
  /// The service named by the peer's verified certificate.
  package private(set) var peerService: String?
  /// Whether TLS protects the connection.
  package let isSecure: Bool

  private let limits: TransportLimits
  private var state: State
  private var socket: Socket?
  private var tls: TLSSession?
  /// Taken and not looked at while lingering.
  private var droppedBytes = 0
  private var watcher: FDWatcher?
  private var timer: LoopTimer?
  private var delegate: (any TransportDelegate)?
  private var output = OutputBuffer()
  private var isFlushQueued = false
  /// The delegate has been shown bytes and is flushed as soon as it has seen all of them.
  private var isReading = false
  private var isWriteBlocked = false
  private var isReadPaused = false
  private var closesAfterFlush = false
  /// How long the last bytes may wait, when that is less than the write-stall time.
  private var flushLimit: Duration?

  /// Reads in one turn before other connections have theirs.
  private static let maxReadsPerTurn = 8
  /// Fills in one turn before other connections have theirs.
  private static let maxFillsPerTurn = 16

  init(
    takingOwnership socket: consuming Socket,
    peer: SocketAddress,
    isConnecting: Bool,
    loop: EventLoop,
    limits: TransportLimits,
    tls context: TLSContext?,
    serverName: String?,
    delegate: any TransportDelegate
  ) throws(NetError) {
    loop.preconditionCurrent()
    self.loop = loop
    self.limits = limits
    self.delegate = delegate
    peerAddress = peer
    isSecure = context != nil
    let descriptor = socket.descriptor
    if !peer.isUnix { socket.tune(limits) }
    self.socket = consume socket
    state = isConnecting ? .connecting : .handshaking
    if let context {
      tls = try context.makeSession(descriptor: descriptor, serverName: serverName)
    }
    do {
      watcher = try loop.watch(descriptor, for: []) { [self] events in handle(events) }
    } catch {
      throw .system(call: "watch", message: error.description)
    }
  }

  /// Starts to connect; success and failure reach the delegate.
  ///
  /// Loop only.
  ///
  /// - Parameters:
  ///   - address: The peer.
  ///   - loop: The loop that the connection lives on.
  ///   - tls: Nil for clear text.
  ///   - serverName: Name required in the server's certificate.
  ///   - limits: Time limits.
  ///   - delegate: Told what happens.
  /// - Returns: The connection, still connecting.
  /// - Throws: ``NetError`` when not even a socket can be made; the delegate hears nothing then.
  @discardableResult
  package static func connect(
    to address: SocketAddress,
    on loop: EventLoop,
    tls: TLSContext? = nil,
    serverName: String? = nil,
    limits: TransportLimits = TransportLimits(),
    delegate: any TransportDelegate
  ) throws(NetError) -> Transport {
    let transport = try Transport(
      takingOwnership: Socket.connect(to: address),
      peer: address,
      isConnecting: true,
      loop: loop,
      limits: limits,
      tls: tls,
      serverName: serverName,
      delegate: delegate
    )
    transport.startTimer(limits.connectTimeout, "connect to \(address)")
    transport.updateInterest()
    return transport
  }

  /// Begins the life of an accepted connection, from the listener.
  func start() {
    state = .handshaking
    if tls == nil { return open() }
    startTimer(limits.handshakeTimeout, "TLS handshake")
    shakeHands()
  }

  // MARK: For the delegate

  /// Asks to be filled: when what came in has been read, or else at the end of this turn.
  package func setNeedsFlush() {
    guard !isFlushQueued, state == .open else { return }
    isFlushQueued = true
    if !isReading { loop.enqueueFlush(self) }
  }

  /// Stops reading: the peer feels it when the kernel's buffers are full.
  package func pauseReading() {
    isReadPaused = true
    updateInterest()
  }

  /// Reads again, beginning with what TLS had decrypted already.
  package func resumeReading() {
    guard isReadPaused else { return }
    isReadPaused = false
    updateInterest()
    loop.submit { [self] in if state == .open, !isReadPaused { readAvailable() } }
  }

  /// Sends what waits, then ends the connection in an orderly way.
  package func closeAfterFlush() {
    closesAfterFlush = true
    setNeedsFlush()
  }

  /// The same for a peer that may not read: what it has not taken after `limit` is dropped.
  package func closeAfterFlush(within limit: Duration) {
    guard state == .open, !closesAfterFlush else { return }
    flushLimit = limit
    closeAfterFlush()
    if isWriteBlocked { startTimer(limit, nil) }
  }

  /// Ends the connection at once.
  package func close() {
    finish(nil)
  }

  // MARK: Events

  private func handle(_ events: FDEvents) {
    switch state {
    case .connecting: finishConnecting()
    case .handshaking: shakeHands()
    case .open:
      if events.contains(.writable), isWriteBlocked {
        isWriteBlocked = false
        flush()
      }
      if events.contains(.readable), state == .open, !isReadPaused { readAvailable() }
    case .lingering: discardInput()
    case .closed: break
    }
  }

  private func finishConnecting() {
    guard let descriptor = socket?.descriptor else { return }
    let code = csockets_pending_error(descriptor)
    guard code == 0 else {
      return finish(.system("connect to \(peerAddress)", Int(code)))
    }
    start()
  }

  private func shakeHands() {
    switch tls?.handshake() {
    case .progress: open()
    case .wantsRead:
      isWriteBlocked = false
      updateInterest()
    case .wantsWrite:
      isWriteBlocked = true
      updateInterest()
    case .failed(let error): finish(error)
    case .closed, nil: finish(.tls(reason: "the peer closed during the handshake"))
    }
  }

  private func open() {
    stopTimer()
    state = .open
    isWriteBlocked = false
    alpn = tls?.negotiatedProtocol
    peerService = tls?.peerService
    updateInterest()
    delegate?.transportDidOpen(self)
    // TLS may hold the first request already, of which the kernel tells nothing any more.
    if isSecure, state == .open, !isReadPaused { readAvailable() }
  }

  // MARK: Reading

  /// Reads what came in, then writes what the delegate has answered at once: the peer need not wait
  /// until the other connections of this turn have been read.
  private func readAvailable() {
    isReading = !isFlushQueued
    readWaiting()
    guard isReading else { return }
    isReading = false
    if isFlushQueued { flush() }
  }

  private func readWaiting() {
    for _ in 0..<Self.maxReadsPerTurn {
      guard state == .open, !isReadPaused else { return }
      switch readOnce() {
      case .progress(let count):
        let bytes = UnsafeRawBufferPointer(rebasing: loop.readBuffer[..<count])
        delegate?.transport(self, didReceive: bytes)
        // A short plain read has emptied the kernel's buffer; TLS may hold more records.
        if tls == nil, count < loop.readBuffer.count { return }
      case .wantsRead, .wantsWrite: return
      case .closed:
        isReadPaused = true
        updateInterest()
        delegate?.transportDidReceiveEOF(self)
        return
      case .failed(let error): return finish(error)
      }
    }
    // More may wait inside TLS: go on in the next turn.
    if tls != nil {
      loop.submit { [self] in if state == .open, !isReadPaused { readAvailable() } }
    }
  }

  private func readOnce() -> TLSSession.Outcome {
    if tls != nil { return tls?.read(into: loop.readBuffer) ?? .closed }
    guard let descriptor = socket?.descriptor else { return .closed }
    let count = csockets_read(descriptor, loop.readBuffer.baseAddress, loop.readBuffer.count)
    return Self.outcome(count, call: "read", again: .wantsRead)
  }

  private func discardInput() {
    guard let descriptor = socket?.descriptor else { return }
    // What comes faster than this waits for the next turn: other connections have theirs meanwhile.
    for _ in 0..<Self.maxReadsPerTurn {
      let count = csockets_read(descriptor, loop.readBuffer.baseAddress, loop.readBuffer.count)
      if count == Int(CSOCKETS_AGAIN) { return }
      if count <= 0 { return finish(nil) }
      droppedBytes += count
      if droppedBytes > limits.lingerBytes { return finish(nil) }
    }
  }

  // MARK: Writing

  /// Fills and writes until the delegate has no more or the socket takes no more.
  package func flush() {
    isFlushQueued = false
    guard state == .open, !isWriteBlocked else { return }
    output.borrow(&loop.writeBuffer)
    defer { output.giveBack(&loop.writeBuffer) }
    for _ in 0..<Self.maxFillsPerTurn {
      if output.isEmpty { delegate?.transport(self, fill: &output) }
      guard state == .open else { return }
      if output.isEmpty { return didDrain() }
      guard writePending() else { return }
    }
    setNeedsFlush()
  }

  /// Writes everything that waits; false when the socket is full or gone.
  private func writePending() -> Bool {
    while !output.isEmpty {
      switch writeOnce() {
      case .progress(let count): output.consume(count)
      case .wantsRead, .wantsWrite:
        isWriteBlocked = true
        if let flushLimit {
          startTimer(flushLimit, nil)
        } else {
          startTimer(limits.writeStallTimeout, "the peer reads nothing")
        }
        updateInterest()
        return false
      case .closed:
        finish(nil)
        return false
      case .failed(let error):
        finish(error)
        return false
      }
    }
    return true
  }

  private func writeOnce() -> TLSSession.Outcome {
    if tls != nil { return output.withPending { tls?.write($0) ?? .closed } }
    guard let descriptor = socket?.descriptor else { return .closed }
    let count = output.withPending { csockets_write(descriptor, $0.baseAddress, $0.count) }
    return Self.outcome(count, call: "write", again: .wantsWrite)
  }

  private static func outcome(
    _ count: Int,
    call: String,
    again: TLSSession.Outcome
  ) -> TLSSession.Outcome {
    if count > 0 { return .progress(count) }
    if count == 0 { return .closed }
    return count == Int(CSOCKETS_AGAIN) ? again : .failed(.system(call, count))
  }

  private func didDrain() {
    if timer != nil { stopTimer() }
    updateInterest()
    if closesAfterFlush { linger() }
  }

  // MARK: End

  /// Ends our side and waits for the peer's: closing at once could reset the connection and take the
  /// last bytes from the peer (RFC 9112 §9.6).
  private func linger() {
    guard let descriptor = socket?.descriptor else { return }
    tls?.sendCloseNotify()
    csockets_shutdown_write(descriptor)
    state = .lingering
    startTimer(limits.lingerTimeout, nil)
    updateInterest()
  }

  private func finish(_ error: NetError?) {
    guard state != .closed else { return }
    if state == .open, error == nil { tls?.sendCloseNotify() }
    state = .closed
    stopTimer()
    watcher?.close()
    watcher = nil
    tls = nil
    socket = nil
    let delegate = self.delegate
    self.delegate = nil
    delegate?.transportDidClose(self, error: error)
  }

  private func startTimer(_ delay: Duration, _ complaint: String?) {
    stopTimer()
    timer = loop.schedule(after: delay) { [self] in finish(complaint.map(NetError.timeout)) }
  }

  private func stopTimer() {
    timer?.cancel()
    timer = nil
  }

  private func updateInterest() {
    switch state {
    case .connecting: watcher?.update(readable: false, writable: true)
    case .handshaking: watcher?.update(readable: !isWriteBlocked, writable: isWriteBlocked)
    case .open: watcher?.update(readable: !isReadPaused, writable: isWriteBlocked)
    case .lingering: watcher?.update(readable: true, writable: false)
    case .closed: break
    }
  }
}
