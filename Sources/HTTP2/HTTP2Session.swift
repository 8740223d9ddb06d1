internal import CNghttp2
package import EventLoop
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
  /// PING frames of ours, and those of them that the peer has answered.
  package internal(set) var pingsSent = 0
  package private(set) var pongs = 0
  /// The PING behind the first GOAWAY.
  enum ShutdownPing: Equatable { case none, afterGoAway, sent(Int) }
  var shutdownPing = ShutdownPing.none
  /// Whether the peer has read the first GOAWAY of a graceful end.
  package var isShutdownAcknowledged: Bool {
    if case .sent(let number) = shutdownPing { pongs >= number } else { false }
  }
  /// PING frames of the peer.
  package private(set) var pingsReceived = 0
  /// Whether HEADERS or DATA were sent; for its owner to clear.
  package var hasSentMessages = false

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
  /// The library's way to the bytes of a body.
  private(set) var readBody: nghttp2_data_source_read_callback = readBodyOfStream
  private var meter: AbuseMeter
  private var abuse: AbuseKind?
  /// Why the connection cannot go on; nil while it can.
  package private(set) var fault: HTTP2Error?

  /// Bytes that are queued on all streams.
  package private(set) var pendingBytes = 0
  /// Streams that the peer has opened.
  package private(set) var openedStreams = 0
  private var endedStreams = EndedStreams()
  /// The client has used a stream that it had ended.
  private var misuse: HTTP2ErrorCode?
  private var headerBlocks = 0
  /// The stream whose header block has begun and not ended, and what has come of the block: blocks of
  /// several streams never mix (RFC 9113 §4.3).
  private var openBlock: Int32?
  private var incoming = HeaderBlock()
  private var isOversized = false
  private var watch: ConnectionWatch
  private var dataFrames: DataFrameCounter
  /// DATA frames that the library has shown, and those that it has dropped.
  private var shownDataFrames = 0
  private var droppedDataFrames = 0

  /// Makes a session and queues its SETTINGS frame.
  package init(role: Role, limits: HTTP2Limits = HTTP2Limits()) throws(HTTP2Error) {
    self.role = role
    self.limits = limits
    dataFrames = DataFrameCounter(preface: role == .server ? Self.prefaceBytes : 0)
    watch = ConnectionWatch(limits: limits.times, opened: .now)
    meter = AbuseMeter(
      limits: limits.abuse,
      maxOversizedBlocks: limits.maxOversizedHeaderBlocks
    )
    let options = try SessionOptions(limits)
    let callbacks = try SessionCallbacks()
    let this = Unmanaged.passUnretained(self).toOpaque()
    let faults = limits.faults?.takeUnretainedValue()
    faults?.breakCallback(of: callbacks)
    if faults?.brokenCallback == .dataSource { readBody = { _, _, _, _, _, _, _ in brokenSource } }
    let create = role == .server ? nghttp2_session_server_new3 : nghttp2_session_client_new3
    // After a failure the library leaves a pointer behind that it has freed.
    var raw: OpaquePointer?
    let code =
      if var memory = faults?.memory {
        create(&raw, callbacks.pointer, this, options.pointer, &memory)
      } else {
        create(&raw, callbacks.pointer, this, options.pointer, nil)
      }
    try check("nghttp2_session_new", code)
    pointer = raw
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

  /// Length of what a client says first (RFC 9113 §3.4).
  private static let prefaceBytes = 24

  // MARK: Driving

  /// Takes bytes from the peer; handlers are told what they meant.
  ///
  /// - Throws: ``HTTP2Error`` when the connection cannot go on; `fill` then yields the farewell.
  package func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTP2Error) {
    // What comes after a fault is not looked at any more.
    guard fault == nil else { return }
    let base = bytes.bindMemory(to: UInt8.self).baseAddress
    let taken = nghttp2_session_mem_recv(pointer, base, bytes.count)
    let before = dataFrames
    dataFrames.take(bytes)
    if dataFrames.frames - shownDataFrames > droppedDataFrames { judgeDropped(bytes, before) }
    if let misuse {
      sayFarewell(misuse)
      throw note(.violation(HTTP2Violation(goAwayCode: misuse.rawValue)))
    }
    if let abuse {
      sayFarewell(.enhanceYourCalm)
      throw note(.abuse(abuse))
    }
    if taken < 0 { throw refusal(Int32(truncatingIfNeeded: taken)) }
    // A callback may have asked for what the library could not do.
    if let fault { throw fault }
  }

  /// Counts the DATA frames in `bytes` that the library has dropped, and finds those that nobody may send.
  ///
  /// Which ones it has dropped, the library does not say: only where all of them are of streams that
  /// their client has ended, that is sure.
  private func judgeDropped(_ bytes: UnsafeRawBufferPointer, _ before: DataFrameCounter) {
    while dataFrames.frames - shownDataFrames > droppedDataFrames, abuse == nil {
      droppedDataFrames += 1
      count(.useless)
    }
    guard role == .server, misuse == nil else { return }
    var areAllOfEnded = true
    var counter = before
    counter.take(bytes) { id in
      guard stream(id) == nil, endedStreams.judge(id) != .pardoned else {
        return areAllOfEnded = false
      }
    }
    if areAllOfEnded { misuse = .streamClosed }
  }

  /// What it means that the library reads no further.
  private func refusal(_ code: Int32) -> HTTP2Error {
    guard let violation = HTTP2Violation(libraryCode: code) else {
      endOnFailure(of: "nghttp2_session_mem_recv", code)
      return fault ?? .closing
    }
    sayFarewell(.protocolError)
    return note(.violation(violation))
  }

  /// Ends the connection when a call of the library has failed.
  ///
  /// Almost always memory has run out: a frame is missing then for which somebody would wait for ever.
  /// Where a call knows other refusals, they are named beside it; none of them can happen.
  @inline(__always)
  func endOnFailure(of call: StaticString, _ code: Int32) {
    if code < 0 { libraryFailed(call, code) }
  }

  @inline(never)
  private func libraryFailed(_ call: StaticString, _ code: Int32) {
    guard fault == nil else { return }
    _ = note(.library(call: "\(call)", message: text(code)))
    sayFarewell(.internalError)
  }

  /// Queues the last GOAWAY; if even for that there is no memory, the connection ends without.
  @discardableResult
  private func sayFarewell(_ code: HTTP2ErrorCode) -> Bool {
    nghttp2_session_terminate_session(pointer, code.rawValue) == 0
  }

  private func note(_ error: HTTP2Error) -> HTTP2Error {
    if fault == nil { fault = error }
    return fault ?? error
  }

  /// Ends the connection of a peer that pings more often than its owner allows.
  package func refusePings() -> HTTP2Error {
    goAway(.enhanceYourCalm, debug: "too_many_pings")
    return note(.abuse(.pings))
  }

  /// Ends the connection of a peer that gives no sign of life.
  package func giveUp() -> HTTP2Error {
    note(.timeout(.keepalive))
  }

  /// Looks at the clock, about once a second: resets streams whose peer takes nothing.
  ///
  /// `extraWork` is work of the owner that keeps a connection from being idle.
  ///
  /// - Returns: The number of streams that were reset.
  /// - Throws: ``HTTP2Error/timeout(_:)`` when the connection ends; `fill` yields the farewell, but
  ///   for an idle one, which its owner ends as gracefully as it likes.
  package func tick(
    _ now: MonotonicInstant,
    extraWork: Int = 0
  ) throws(HTTP2Error) -> Int {
    guard fault == nil else { return 0 }
    let progress = ConnectionWatch.Progress(
      isSettled: didReceiveSettings,
      openedStreams: openedStreams,
      busy: active.count + extraWork,
      openBlock: openBlock == nil ? nil : headerBlocks
    )
    if let timeout = watch.look(at: now, progress) {
      if timeout == .idle { throw .timeout(.idle) }
      sayFarewell(.enhanceYourCalm)
      throw note(.timeout(timeout))
    }
    var stalled = 0
    for stream in active where stream.isStalled(at: now, limits.times) {
      reset(stream, .cancel)
      stalled += 1
    }
    return stalled
  }

  /// Shows the handlers of all open streams.
  package func forEachHandler(_ body: (any HTTP2StreamHandler) -> Void) {
    for stream in active { if let handler = stream.handler { body(handler) } }
  }

  /// Appends frames that wait, up to the limit of one turn.
  ///
  /// - Throws: ``HTTP2Error/library(call:message:)`` when nothing more can be sent. A fault that shows
  ///   while sending is in `fault`: there may be a farewell to send.
  package func fill(_ buffer: inout OutputBuffer) throws(HTTP2Error) {
    while buffer.count < limits.fillBytes {
      var bytes: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(pointer, &bytes)
      if count == 0 {
        guard endAfterSending() else { return }
        continue
      }
      guard count > 0, let bytes else {
        throw note(.library(call: "nghttp2_session_mem_send", message: text(Int32(count))))
      }
      buffer.append(UnsafeRawBufferPointer(start: bytes, count: count))
    }
  }

  /// Resets that we have just sent may have been too many; true when there is a farewell to send.
  private func endAfterSending() -> Bool {
    guard let abuse, fault == nil else { return false }
    _ = note(.abuse(abuse))
    return sayFarewell(.enhanceYourCalm)
  }

  /// Whether frames wait to be sent.
  package var wantsWrite: Bool { nghttp2_session_want_write(pointer) != 0 }

  /// Whether the session has ended: nothing more to read or write.
  package var isFinished: Bool {
    nghttp2_session_want_read(pointer) == 0 && nghttp2_session_want_write(pointer) == 0
  }

  // MARK: Callbacks (from CallbackTable)

  /// Counts a frame by its head, also those that the library drops without a word; false when the
  /// connection ends here.
  func didBeginFrame(_ id: Int32, _ type: UInt32, isAnswer: Bool) -> Bool {
    openBlock = nil
    switch type {
    case NGHTTP2_DATA.rawValue: shownDataFrames += 1
    case NGHTTP2_HEADERS.rawValue: didBeginHeadersFrame(id)
    case NGHTTP2_RST_STREAM.rawValue where role == .server && stream(id) != nil:
      count(.resetsReceived)
    case NGHTTP2_SETTINGS.rawValue: if !isAnswer { count(.settings) }
    case NGHTTP2_PING.rawValue where !isAnswer: count(.pings)
    case NGHTTP2_WINDOW_UPDATE.rawValue: didReceiveWindowUpdate()
    default: count(.useless)
    }
    return abuse == nil && misuse == nil
  }

  private func didBeginHeadersFrame(_ id: Int32) {
    if id > endedStreams.last { return endedStreams.begin(id) }
    guard stream(id) == nil else { return }
    switch endedStreams.judge(id) {
    case .ended where role == .server: misuse = .streamClosed
    case .leftOut where role == .server: misuse = .protocolError
    default: count(.useless)
    }
  }

  /// A stream was reset by us: frames of it may be on their way.
  func didSendReset(_ id: Int32, _ code: UInt32) {
    endedStreams.pardon(id)
    // Other codes are our own decision; these the peer has provoked.
    switch HTTP2ErrorCode(rawValue: code) {
    case .protocolError, .flowControlError, .streamClosed, .refusedStream, .frameSizeError:
      count(.resetsSent)
    default: break
    }
  }

  func didBeginHeaders(_ id: Int32) {
    headerBlocks += 1
    openBlock = id
    incoming = HeaderBlock()
    incoming.reserve(fields: 12, bytes: 512)
    isOversized = false
    guard role == .server, stream(id) == nil else { return }
    endedStreams.take()
    openedStreams += 1
    let stream = HTTP2Stream(id: id)
    adopt(stream)
    onStreamOpened?(stream)
  }

  /// Takes one field; false when the connection ends here.
  @inline(__always)
  func didReceiveField(
    _ name: UnsafeBufferPointer<UInt8>,
    _ value: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    let size = incoming.listBytes + name.count + value.count + 32
    guard size <= limits.maxHeaderListBytes, incoming.count < limits.maxHeaderFields, !isOversized
    else { return didReceiveTooMuch() }
    incoming.appendUncopied(name: name, value: value)
    return true
  }

  /// A field more than the limits allow: the block is dropped.
  private func didReceiveTooMuch() -> Bool {
    guard !isOversized else { return true }
    isOversized = true
    count(.headerBytes)
    return abuse == nil
  }

  func didReceiveHeaders(_ id: Int32, end: Bool) {
    openBlock = nil
    let block = incoming.take()
    withStream(id) { stream in
      guard let handler = stream.handler else { return }
      if isOversized {
        handler.streamDidReceiveOversizedHeaders(stream)
      } else {
        handler.stream(stream, didReceiveHeaders: block)
      }
      if end { handler.streamDidReceiveEnd(stream) }
    }
  }

  func didReceiveData(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
    let isTaken: Void? = withStream(id) { $0.handler?.stream($0, didReceiveData: bytes) }
    if isTaken == nil { consume(id, bytes.count) }
  }

  func didReceiveDataFrame(_ id: Int32, count: Int, end: Bool) {
    if end { withStream(id) { $0.handler?.streamDidReceiveEnd($0) } }
    if count == 0, !end { self.count(.emptyData) }
  }

  func didReceivePing(isAnswer: Bool) {
    guard isAnswer else {
      pingsReceived += 1
      return
    }
    pongs += 1
    onPong?()
  }

  func didReceiveSettings(isAnswer: Bool) {
    guard !isAnswer else { return }
    didReceiveSettings = true
  }

  func didReceiveGoAway(_ lastStreamID: Int32, _ code: UInt32, _ debug: String) {
    onGoAway?(lastStreamID, code, debug)
  }

  func didClose(_ id: Int32, _ code: UInt32) {
    if openBlock == id { openBlock = nil }
    guard let stream = stream(id) else { return }
    // Fails only for a stream that the library does not know.
    nghttp2_session_set_stream_user_data(pointer, id, nil)
    end(stream, HTTP2ErrorCode(rawValue: code) ?? .internalError)
  }

  /// A GOAWAY with an error code that nobody of us has asked for is the library's verdict.
  func didSendGoAway(_ code: UInt32) {
    // Not earlier: the library lets PING overtake GOAWAY.
    if shutdownPing == .afterGoAway {
      ping()
      shutdownPing = .sent(pingsSent)
    }
    guard code != HTTP2ErrorCode.noError.rawValue else { return }
    _ = note(.violation(HTTP2Violation(goAwayCode: code)))
  }

  func didSendData() {
    meter.didSendData()
  }

  func didReceiveWindowUpdate() {
    if !meter.takeExpectedWindowUpdate() { count(.useless) }
  }

  func didSendEnd(_ id: Int32) {
    withStream(id) { if $0.resetsAfterEnd { reset($0, .noError) } }
  }

  /// Ends every stream: the connection is lost.
  package func closeAllStreams(_ code: HTTP2ErrorCode) {
    while let stream = active.last { end(stream, code) }
  }

  /// Bytes that one stream may queue now: little when all together hold much, so that a peer that
  /// takes nothing from a hundred streams does not fill our memory.
  var sendHighWater: Int {
    pendingBytes > limits.connectionSendHighWater ? limits.sendShare : limits.sendHighWater
  }

  /// Whether so many bytes wait for the peer that no new work should be begun for it.
  package var isCongested: Bool { pendingBytes > limits.connectionSendLimit }

  func didQueue(_ count: Int) { pendingBytes += count }

  func didProduce(_ stream: HTTP2Stream) {
    guard stream.isAboveHighWater, stream.body.pendingBytes < sendHighWater / 2 else {
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
    // Fails only for a stream that the library does not know; it is just telling us of this one.
    nghttp2_session_set_stream_user_data(pointer, stream.id, data)
  }

  private func end(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
    let last = active.removeLast()
    if last !== stream {
      last.slot = stream.slot
      active[stream.slot] = last
    }
    stream.isClosed = true
    pendingBytes -= stream.body.pendingBytes
    stream.handler?.stream(stream, didClose: code)
    stream.handler = nil
  }

  private func stream(_ id: Int32) -> HTTP2Stream? {
    withStream(id) { $0 }
  }

  /// Lends an open stream; nil when there is none.
  ///
  /// No reference is counted: `active` keeps the stream, which does not close inside of `body`.
  @inline(__always) @discardableResult
  private func withStream<R>(_ id: Int32, _ body: (HTTP2Stream) -> R?) -> R? {
    guard let data = nghttp2_session_get_stream_user_data(pointer, id) else { return nil }
    return Unmanaged<HTTP2Stream>.fromOpaque(data)._withUnsafeGuaranteedRef(body)
  }
}

private var brokenSource: Int { Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) }

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
