internal import CNghttp2

/// Owns one `nghttp2_session_callbacks`; needed until the session is made.
///
/// Each callback unwraps the session and hands the event on; none of them re-enters the library's
/// send or receive.
struct SessionCallbacks: ~Copyable {
  let pointer: OpaquePointer?

  init() throws(HTTP2Error) {
    var raw: OpaquePointer?
    try check("nghttp2_session_callbacks_new", nghttp2_session_callbacks_new(&raw))
    pointer = raw
    nghttp2_session_callbacks_set_on_begin_frame_callback(raw) { _, header, data in
      guard let header else { return 0 }
      let head = header.pointee
      let isAnswer = head.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0
      return code(
        session(data) { $0.didBeginFrame(head.stream_id, UInt32(head.type), isAnswer: isAnswer) }
      )
    }
    // Frames of unknown types are of no use, but counted: the library passes them on only with this.
    nghttp2_session_callbacks_set_unpack_extension_callback(raw) { _, _, _, _ in
      NGHTTP2_ERR_CANCEL.rawValue
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(raw) { _, frame, data in
      guard let frame else { return 0 }
      session(data) { $0.didBeginHeaders(frame.pointee.hd.stream_id) }
      return 0
    }
    nghttp2_session_callbacks_set_on_header_callback(raw) {
      _,
      _,
      name,
      nameCount,
      value,
      valueCount,
      _,
      data in
      let name = UnsafeBufferPointer(start: name, count: nameCount)
      let value = UnsafeBufferPointer(start: value, count: valueCount)
      return code(session(data) { $0.didReceiveField(name, value) })
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw) { _, _, id, bytes, count, data in
      session(data) { $0.didReceiveData(id, UnsafeRawBufferPointer(start: bytes, count: count)) }
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(raw) { _, frame, data in
      guard let frame else { return 0 }
      session(data) { route(frame, to: $0) }
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(raw) { _, frame, data in
      guard let frame else { return 0 }
      session(data) { didSend(frame, by: $0) }
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(raw) { _, id, code, data in
      session(data) { $0.didClose(id, code) }
      return 0
    }
  }

  deinit { nghttp2_session_callbacks_del(pointer) }
}

/// Lends the session behind a callback's user data, which its owner keeps alive meanwhile: no
/// reference is counted.
@inline(__always)
private func session<R>(_ data: UnsafeMutableRawPointer?, _ body: (HTTP2Session) -> R) -> R {
  guard let data else { preconditionFailure("every session is its own user data") }
  return Unmanaged<HTTP2Session>.fromOpaque(data)._withUnsafeGuaranteedRef(body)
}

/// What a callback answers: the library stops reading at once when the connection ends.
private func code(_ goesOn: Bool) -> Int32 {
  goesOn ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
}

private func didSend(_ frame: UnsafePointer<nghttp2_frame>, by session: HTTP2Session) {
  let head = frame.pointee.hd
  switch UInt32(head.type) {
  case NGHTTP2_DATA.rawValue:
    session.didSendData()
    session.hasSentMessages = true
  case NGHTTP2_HEADERS.rawValue: session.hasSentMessages = true
  case NGHTTP2_RST_STREAM.rawValue where session.role == .server:
    return session.didSendReset(head.stream_id, frame.pointee.rst_stream.error_code)
  case NGHTTP2_GOAWAY.rawValue: return session.didSendGoAway(frame.pointee.goaway.error_code)
  default: return
  }
  guard session.role == .server, cnghttp2_is_end_of_stream(frame) != 0 else { return }
  session.didSendEnd(head.stream_id)
}

private func route(_ frame: UnsafePointer<nghttp2_frame>, to session: HTTP2Session) {
  let header = frame.pointee.hd
  let isAnswer = header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0
  let isEnd = cnghttp2_is_end_of_stream(frame) != 0
  switch UInt32(header.type) {
  case NGHTTP2_DATA.rawValue:
    // Padding is nothing that anybody waits for.
    let count = header.length - frame.pointee.data.padlen
    session.didReceiveDataFrame(header.stream_id, count: count, end: isEnd)
  case NGHTTP2_HEADERS.rawValue:
    session.didReceiveHeaders(header.stream_id, end: isEnd)
  case NGHTTP2_SETTINGS.rawValue: session.didReceiveSettings(isAnswer: isAnswer)
  case NGHTTP2_PING.rawValue: session.didReceivePing(isAnswer: isAnswer)
  case NGHTTP2_GOAWAY.rawValue:
    let goAway = frame.pointee.goaway
    let debug = UnsafeBufferPointer(start: goAway.opaque_data, count: goAway.opaque_data_len)
    session.didReceiveGoAway(
      goAway.last_stream_id,
      goAway.error_code,
      String(decoding: debug, as: UTF8.self)
    )
  // The others were counted when they began.
  default: break
  }
}
