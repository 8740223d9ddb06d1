internal import CNghttp2

/// What shall go wrong inside a session: for tests that show what becomes of its connection then.
///
/// The library asks for memory here instead of malloc, and one of its callbacks fails. Sessions without
/// this pay nothing for it.
package final class SessionFaults: Sendable {
  /// A callback of the library.
  package enum Callback: Sendable, CaseIterable {
    case beginFrame, unpackExtension, beginHeaders, header, dataChunk, frameReceived, frameSent
    case streamClosed, dataSource
  }

  let brokenCallback: Callback?
  /// Asked before memory is taken.
  let grantsMemory: @Sendable () -> Bool
  /// Told when memory was given back.
  let memoryCameBack: @Sendable () -> Void

  package init(
    breaking callback: Callback? = nil,
    grantsMemory: @escaping @Sendable () -> Bool = { true },
    memoryCameBack: @escaping @Sendable () -> Void = {}
  ) {
    brokenCallback = callback
    self.grantsMemory = grantsMemory
    self.memoryCameBack = memoryCameBack
  }
}

extension SessionFaults {
  /// The library's view of the memory; valid as long as this object.
  var memory: nghttp2_mem {
    nghttp2_mem(
      mem_user_data: Unmanaged.passUnretained(self).toOpaque(),
      malloc: { size, data in faults(data).grantsMemory() ? malloc(size) : nil },
      free: { block, data in
        if block != nil { faults(data).memoryCameBack() }
        free(block)
      },
      calloc: { count, size, data in faults(data).grantsMemory() ? calloc(count, size) : nil },
      // What grows is one block before and one afterwards.
      realloc: { block, size, data in
        guard faults(data).grantsMemory() else { return nil }
        if block != nil { faults(data).memoryCameBack() }
        return realloc(block, size)
      }
    )
  }

  /// Puts a callback that fails in place of ours; that of the data source is not in the list.
  func breakCallback(of callbacks: borrowing SessionCallbacks) {
    let raw = callbacks.pointer
    switch brokenCallback {
    case .beginFrame:
      nghttp2_session_callbacks_set_on_begin_frame_callback(raw) { _, _, _ in failure }
    case .unpackExtension:
      nghttp2_session_callbacks_set_unpack_extension_callback(raw) { _, _, _, _ in failure }
    case .beginHeaders:
      nghttp2_session_callbacks_set_on_begin_headers_callback(raw) { _, _, _ in failure }
    case .header:
      nghttp2_session_callbacks_set_on_header_callback(raw) { _, _, _, _, _, _, _, _ in failure }
    case .dataChunk:
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw) { _, _, _, _, _, _ in failure }
    case .frameReceived:
      nghttp2_session_callbacks_set_on_frame_recv_callback(raw) { _, _, _ in failure }
    case .frameSent:
      nghttp2_session_callbacks_set_on_frame_send_callback(raw) { _, _, _ in failure }
    case .streamClosed:
      nghttp2_session_callbacks_set_on_stream_close_callback(raw) { _, _, _, _ in failure }
    case .dataSource, nil: break
    }
  }
}

private var failure: Int32 { NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }

private func faults(_ data: UnsafeMutableRawPointer?) -> SessionFaults {
  guard let data else { preconditionFailure("memory without its owner") }
  return Unmanaged<SessionFaults>.fromOpaque(data).takeUnretainedValue()
}
