internal import CNghttp2

/// Owns one `nghttp2_option`; needed until the session is made.
struct SessionOptions: ~Copyable {
  let pointer: OpaquePointer?

  init(_ limits: HTTP2Limits) throws(HTTP2Error) {
    var raw: OpaquePointer?
    try check("nghttp2_option_new", nghttp2_option_new(&raw))
    pointer = raw
    // Windows open again when the consumer has taken the bytes, not when they arrive.
    nghttp2_option_set_no_auto_window_update(raw, 1)
    // As many ended streams as may be open would be kept, which costs a call memory and cache; of those
    // that matter, `EndedStreams` knows.
    nghttp2_option_set_no_closed_streams(raw, 1)
    // Unknown frames are shown to us, so that masses of them are noticed.
    for type in Self.unknownFrameTypes { nghttp2_option_set_user_recv_extension_type(raw, type) }
    // CVE-2024-28182; said here so that a library with another default does not change it.
    nghttp2_option_set_max_continuations(raw, Self.maxContinuations)
  }

  /// Types beyond those of RFC 9113 §6.
  private static let unknownFrameTypes = UInt8(0x0a)...UInt8.max
  private static let maxContinuations = 8

  deinit { nghttp2_option_del(pointer) }
}
