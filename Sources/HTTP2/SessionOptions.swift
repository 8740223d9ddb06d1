internal import CNghttp2

/// Owns one `nghttp2_option`; needed until the session is made.
struct SessionOptions: ~Copyable {
  let pointer: OpaquePointer?

  init() throws(HTTP2Error) {
    var raw: OpaquePointer?
    try check("nghttp2_option_new", nghttp2_option_new(&raw))
    pointer = raw
    // Windows open again when the consumer has taken the bytes, not when they arrive.
    nghttp2_option_set_no_auto_window_update(raw, 1)
    // nghttp2 would keep closed streams for priorities, which nobody uses any more (RFC 9113 §5.3).
    nghttp2_option_set_no_closed_streams(raw, 1)
  }

  deinit { nghttp2_option_del(pointer) }
}
