internal import CNghttp2
package import Net

/// One HTTP/2 connection's protocol state, without a socket: bytes in, events and bytes out.
///
/// Owns one `nghttp2_session`. Not `Sendable`: it lives inside the actor of its connection, whose
/// driver calls `receive` with what came in and `fill` when there is room to send.
package final class HTTP2Session {
  /// Which end of the connection this is.
  package enum Role: Sendable { case server, client }

  package let role: Role
  package let limits: HTTP2Limits
  /// Called when the peer opens a stream; sets its `handler`.
  package var onStreamOpened: ((HTTP2Stream) -> Void)?
  /// Called when a PING of ours was answered.
  package var onPong: (() -> Void)?
  /// Called when the peer goes away: streams above `lastStreamID` were not processed.
  package var onGoAway: ((_ lastStreamID: Int32, _ code: UInt32, _ debug: String) -> Void)?

  /// Streams that are open or half open; each knows its place here.
  ///
  /// The library holds them unretained.
  private var active: [HTTP2Stream] = []
  /// Whether the peer's first SETTINGS frame has come.
  package private(set) var didReceiveSettings = false

  /// Number of streams that are open or half open.
  package var openStreams: Int { active.count }

  var pointer: OpaquePointer?
  private var meter: AbuseMeter
  private var abuse: AbuseKind?

  /// Makes a session and queues its SETTINGS frame.
  package init(role: Role, limits: HTTP2Limits = HTTP2Limits()) throws(HTTP2Error) {
    self.role = role
    self.limits = limits
    meter = AbuseMeter(
      limits: limits.abuse,
      maxOversizedBlocks: limits.maxOversizedHeaderBlocks
    )
    let options = try SessionOptions()
    let callbacks = try SessionCallbacks()
    let this = Unmanaged.passUnretained(self).toOpaque()
    let create = role == .server ? nghttp2_session_server_new2 : nghttp2_session_client_new2
    try check("nghttp2_session_new", create(&pointer, callbacks.pointer, this, options.pointer))
    try submitSettings()
  }

  deinit { nghttp2_session_del(pointer) }

  private func submitSettings() throws(HTTP2Error) {
    var entries = [
      setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.streamWindow),
      setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, UInt32(limits.maxHeaderListBytes)),
    ]
    switch role {
    case .server:
      entries.append(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams))
    case .client:
      entries.append(setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
      entries.append(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0))
    }
    try check(
      "nghttp2_submit_settings",
      nghttp2_submit_settings(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
    )
    try check(
      "nghttp2_session_set_local_window_size",
      nghttp2_session_set_local_window_size(
        pointer,
        UInt8(NGHTTP2_FLAG_NONE.rawValue),
        0,
        limits.connectionWindow
      )
    )
  }

  // MARK: Driving

  /// Takes bytes from the peer; handlers are told what they meant.
  ///
  /// - Throws: ``HTTP2Error`` when the connection cannot go on; `fill` then yields the farewell.
  package func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTP2Error) {
    let base = bytes.bindMemory(to: UInt8.self).baseAddress
    let taken = nghttp2_session_mem_recv(pointer, base, bytes.count)
    if let abuse {
      nghttp2_session_terminate_session(pointer, HTTP2ErrorCode.enhanceYourCalm.rawValue)
      throw .abuse(abuse)
    }
    try check("nghttp2_session_mem_recv", Int32(truncatingIfNeeded: min(taken, 0)))
  }

  /// Appends frames that wait, up to the limit of one turn.
  package func fill(_ buffer: inout OutputBuffer) throws(HTTP2Error) {
    while buffer.count < limits.fillBytes {
      var bytes: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(pointer, &bytes)
      if count == 0 { return }
      guard count > 0, let bytes else {
        throw .library(call: "nghttp2_session_mem_send", message: text(Int32(count)))
      }
      buffer.append(UnsafeRawBufferPointer(start: bytes, count: count))
    }
  }

  /// Whether frames wait to be sent.
  package var wantsWrite: Bool { nghttp2_session_want_write(pointer) != 0 }

  /// Whether the session has ended: nothing more to read or write.
  package var isFinished: Bool {
    nghttp2_session_want_read(pointer) == 0 && nghttp2_session_want_write(pointer) == 0
  }

  // MARK: Callbacks (from CallbackTable)

  func didBeginHeaders(_ id: Int32) {
    if let stream = stream(id) {
      stream.incoming = HeaderBlock()
      stream.isOversized = false
      return
    }
    guard role == .server else { return }
    let stream = HTTP2Stream(id: id)
    adopt(stream)
    onStreamOpened?(stream)
  }

  func didReceiveField(
    _ id: Int32,
    _ name: UnsafeBufferPointer<UInt8>,
    _ value: UnsafeBufferPointer<UInt8>
  ) {
    guard let stream = stream(id), !stream.isOversized else { return }
    if stream.incoming.isEmpty { stream.incoming.reserve(fields: 12, bytes: 512) }
    let size = stream.incoming.listBytes + name.count + value.count + 32
    guard size <= limits.maxHeaderListBytes, stream.incoming.count < limits.maxHeaderFields else {
      stream.isOversized = true
      count(.headerBytes)
      return
    }
    stream.incoming.append(name: name, value: value)
  }

  func didReceiveHeaders(_ id: Int32, end: Bool) {
    guard let stream = stream(id) else { return }
    let block = stream.incoming
    stream.incoming = HeaderBlock()
    if stream.isOversized {
      stream.handler?.streamDidReceiveOversizedHeaders(stream)
    } else {
      stream.handler?.stream(stream, didReceiveHeaders: block)
    }
    if end { stream.handler?.streamDidReceiveEnd(stream) }
  }

  func didReceiveData(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
    guard let stream = stream(id), let handler = stream.handler else {
      consume(id, bytes.count)
      return
    }
    handler.stream(stream, didReceiveData: bytes)
  }

  func didReceiveDataFrame(_ id: Int32, count: Int, end: Bool) {
    if end, let stream = stream(id) { stream.handler?.streamDidReceiveEnd(stream) }
    if count == 0, !end { self.count(.emptyData) }
  }

  func didReceivePing(isAnswer: Bool) {
    if isAnswer { onPong?() } else { count(.pings) }
  }

  func didReceiveSettings(isAnswer: Bool) {
    guard !isAnswer else { return }
    didReceiveSettings = true
    count(.settings)
  }

  func didReceiveGoAway(_ lastStreamID: Int32, _ code: UInt32, _ debug: String) {
    onGoAway?(lastStreamID, code, debug)
  }

  func didClose(_ id: Int32, _ code: UInt32) {
    guard let stream = stream(id) else { return }
    nghttp2_session_set_stream_user_data(pointer, id, nil)
    end(stream, HTTP2ErrorCode(rawValue: code) ?? .internalError)
  }

  func didSendData() {
    meter.didSendData()
  }

  func didReceiveWindowUpdate() {
    if !meter.takeExpectedWindowUpdate() { count(.useless) }
  }

  func didSendEnd(_ id: Int32) {
    guard let stream = stream(id), stream.resetsAfterEnd else { return }
    reset(stream, .noError)
  }

  /// Ends every stream: the connection is lost.
  package func closeAllStreams(_ code: HTTP2ErrorCode) {
    while let stream = active.last { end(stream, code) }
  }

  func didProduce(_ stream: HTTP2Stream) {
    guard stream.isAboveHighWater, stream.body.pendingBytes < limits.sendHighWater / 2 else {
      return
    }
    stream.isAboveHighWater = false
    stream.handler?.streamDidDrain(stream)
  }

  /// Counts an event that must stay rare.
  func count(_ kind: AbuseKind) {
    guard !meter.count(kind, at: .now) else { return }
    abuse = abuse ?? kind
  }

  // MARK: Streams

  /// Keeps a stream until it closes.
  ///
  /// A server's is made known to the library here, a client's with its request.
  func adopt(_ stream: HTTP2Stream) {
    stream.slot = active.count
    active.append(stream)
    guard role == .server else { return }
    let data = Unmanaged.passUnretained(stream).toOpaque()
    nghttp2_session_set_stream_user_data(pointer, stream.id, data)
  }

  private func end(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
    let last = active.removeLast()
    if last !== stream {
      last.slot = stream.slot
      active[stream.slot] = last
    }
    stream.isClosed = true
    stream.handler?.stream(stream, didClose: code)
    stream.handler = nil
  }

  func stream(_ id: Int32) -> HTTP2Stream? {
    guard let data = nghttp2_session_get_stream_user_data(pointer, id) else { return nil }
    return Unmanaged<HTTP2Stream>.fromOpaque(data).takeUnretainedValue()
  }
}

private func setting(_ id: nghttp2_settings_id, _ value: UInt32) -> nghttp2_settings_entry {
  nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: value)
}

/// libnghttp2's text for an error code.
func text(_ code: Int32) -> String {
  String(cString: nghttp2_strerror(code))
}

/// Throws when `code` is negative.
func check(_ call: String, _ code: Int32) throws(HTTP2Error) {
  guard code < 0 else { return }
  throw .library(call: call, message: text(code))
}
