internal import CNghttp2

extension HTTP2Session {
  /// Opens a stream with a request.
  ///
  /// Client only.
  ///
  /// - Parameters:
  ///   - headers: Pseudo fields first.
  ///   - endStream: The request has no body.
  ///   - handler: Told what comes back.
  /// - Returns: The stream, which takes the body.
  /// - Throws: ``HTTP2Error/closing`` when the connection takes no new streams; nothing was sent then.
  package func submitRequest(
    _ headers: HeaderBlock,
    endStream: Bool,
    handler: any HTTP2StreamHandler
  ) throws(HTTP2Error) -> HTTP2Stream {
    guard fault == nil else { throw .closing }
    let stream = HTTP2Stream(id: 0)
    stream.handler = handler
    let data = Unmanaged.passUnretained(stream).toOpaque()
    let id = headers.withNativeFields { fields in
      guard !endStream else {
        return nghttp2_submit_request(pointer, nil, fields.baseAddress, fields.count, nil, data)
      }
      var source = dataSource(for: stream)
      return nghttp2_submit_request(pointer, nil, fields.baseAddress, fields.count, &source, data)
    }
    guard id > 0 else {
      // All identifiers may be used up; the connection then goes on with the streams it has.
      if id != NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE.rawValue {
        endOnFailure(of: "nghttp2_submit_request", id)
      }
      throw .closing
    }
    stream.id = id
    adopt(stream)
    return stream
  }

  /// Whether the request of an open stream was handed to the connection; the library makes a stream
  /// known to itself when it writes the head.
  ///
  /// Client only.
  package func didSend(_ stream: HTTP2Stream) -> Bool {
    nghttp2_session_find_stream(pointer, stream.id) != nil
  }

  /// Answers a request.
  ///
  /// With `endStream` that is all; else data and the end follow by `send` and `finish`.
  package func submitResponse(_ stream: HTTP2Stream, _ headers: HeaderBlock, endStream: Bool) {
    guard !stream.isClosed else { return }
    let code = headers.withNativeFields { fields in
      guard !endStream else {
        return nghttp2_submit_response(pointer, stream.id, fields.baseAddress, fields.count, nil)
      }
      var source = dataSource(for: stream)
      return nghttp2_submit_response(pointer, stream.id, fields.baseAddress, fields.count, &source)
    }
    // Refused besides: by a client, and without a stream identifier.
    endOnFailure(of: "nghttp2_submit_response", code)
  }

  /// The same with headers that never change.
  package func submitResponse(_ stream: HTTP2Stream, _ headers: FixedHeaders) {
    guard !stream.isClosed else { return }
    var source = dataSource(for: stream)
    let native = headers.native
    endOnFailure(
      of: "nghttp2_submit_response",
      nghttp2_submit_response(pointer, stream.id, native.baseAddress, native.count, &source)
    )
  }

  /// Queues bytes of the body.
  ///
  /// - Returns: False when the stream holds more than `sendHighWater` now: wait for `streamDidDrain`.
  @discardableResult
  package func send(_ stream: HTTP2Stream, _ bytes: [UInt8]) -> Bool {
    guard !stream.isClosed else { return true }
    stream.body.append(bytes)
    resume(stream)
    didQueue(bytes.count)
    stream.isAboveHighWater = stream.body.pendingBytes > sendHighWater
    return !stream.isAboveHighWater
  }

  /// Ends our side after what is queued, with trailers if there are any.
  package func finish(_ stream: HTTP2Stream, trailers: HeaderBlock? = nil) {
    finish(stream, trailers.map(OutboundTrailers.block) ?? .none)
  }

  /// The same with trailers that never change.
  package func finish(_ stream: HTTP2Stream, trailers: FixedHeaders) {
    finish(stream, .fixed(trailers))
  }

  private func finish(_ stream: HTTP2Stream, _ trailers: OutboundTrailers) {
    guard !stream.isClosed else { return }
    stream.body.finish(trailers: trailers)
    resume(stream)
  }

  /// Resets the stream at once.
  package func reset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
    guard !stream.isClosed else { return }
    // Refused besides: stream 0.
    endOnFailure(
      of: "nghttp2_submit_rst_stream",
      nghttp2_submit_rst_stream(
        pointer,
        UInt8(NGHTTP2_FLAG_NONE.rawValue),
        stream.id,
        code.rawValue
      )
    )
  }

  /// Gives the peer back `count` bytes of the stream's and the connection's window.
  package func consume(_ stream: HTTP2Stream, _ count: Int) {
    consume(stream.id, count)
  }

  func consume(_ id: Int32, _ count: Int) {
    // Refused besides: stream 0, and a session that opens its windows by itself. A stream that is gone
    // is no failure: the connection's window opens all the same.
    endOnFailure(of: "nghttp2_session_consume", nghttp2_session_consume(pointer, id, count))
  }

  /// Asks the peer for a sign of life; its answers are counted in `pongs`.
  package func ping() {
    // Only answers to PING can be too many for the library, and those it makes itself.
    endOnFailure(
      of: "nghttp2_submit_ping",
      nghttp2_submit_ping(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
    )
    pingsSent += 1
  }

  /// First GOAWAY of a graceful end: the peer learns of it, streams on their way are still taken.
  ///
  /// A PING follows, whose answer says that the peer has read it: ``isShutdownAcknowledged``. Server
  /// only.
  package func announceShutdown() {
    shutdownPing = .afterGoAway
    // Refused besides: by a client.
    endOnFailure(of: "nghttp2_submit_shutdown_notice", nghttp2_submit_shutdown_notice(pointer))
  }

  /// Final GOAWAY: streams that came until now are finished, later ones are not processed.
  ///
  /// The session is finished when the last of those streams is. `debug` tells the peer's log why.
  package func goAway(_ code: HTTP2ErrorCode = .noError, debug: StaticString = "") {
    // Refused besides: a stream identifier of ours, and a text over the frame size; these are constants.
    endOnFailure(
      of: "nghttp2_submit_goaway",
      nghttp2_submit_goaway(
        pointer,
        UInt8(NGHTTP2_FLAG_NONE.rawValue),
        nghttp2_session_get_last_proc_stream_id(pointer),
        code.rawValue,
        debug.utf8Start,
        debug.utf8CodeUnitCount
      )
    )
  }

  private func resume(_ stream: HTTP2Stream) {
    guard stream.isDeferred else { return }
    stream.isDeferred = false
    // Refused besides: a stream that is closed, or whose data source does not wait; it said that it does.
    endOnFailure(of: "nghttp2_session_resume_data", nghttp2_session_resume_data(pointer, stream.id))
  }

  private func dataSource(for stream: HTTP2Stream) -> nghttp2_data_provider {
    var provider = nghttp2_data_provider()
    // Unretained: the session keeps the stream until the library has closed it.
    provider.source.ptr = Unmanaged.passUnretained(stream).toOpaque()
    provider.read_callback = readBody
    return provider
  }

  fileprivate func produce(
    _ stream: HTTP2Stream,
    into buffer: UnsafeMutableRawBufferPointer,
    _ flags: UnsafeMutablePointer<UInt32>
  ) -> Int {
    guard stream.body.hasWork else {
      stream.isDeferred = true
      return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    let count = stream.body.take(into: buffer)
    stream.sentBytes += count
    didQueue(-count)
    if stream.body.isDrained { produceEnd(stream, flags) }
    didProduce(stream)
    return count
  }

  private func produceEnd(_ stream: HTTP2Stream, _ flags: UnsafeMutablePointer<UInt32>) {
    var code: Int32 = 0
    switch stream.body.trailers {
    case .none:
      cnghttp2_set_eof(flags, 0)
      return
    case .fixed(let trailers):
      let native = trailers.native
      code = nghttp2_submit_trailer(pointer, stream.id, native.baseAddress, native.count)
    case .block(let trailers):
      code = trailers.withNativeFields { fields in
        nghttp2_submit_trailer(pointer, stream.id, fields.baseAddress, fields.count)
      }
    }
    cnghttp2_set_eof(flags, 1)
    // Refused besides: without a stream identifier.
    endOnFailure(of: "nghttp2_submit_trailer", code)
  }
}

/// Lets a stream's body write itself into a DATA frame.
let readBodyOfStream: nghttp2_data_source_read_callback = {
  _,
  _,
  buffer,
  count,
  flags,
  source,
  data in
  guard let buffer, let flags, let data, let pointer = source?.pointee.ptr else { return 0 }
  let target = UnsafeMutableRawBufferPointer(start: buffer, count: count)
  let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer)
  // The library calls while both live: no reference is counted.
  return Unmanaged<HTTP2Session>.fromOpaque(data)._withUnsafeGuaranteedRef { session in
    stream._withUnsafeGuaranteedRef { session.produce($0, into: target, flags) }
  }
}

extension HeaderBlock {
  /// Lends the fields in the library's form; it copies them.
  func withNativeFields<R>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> R) -> R {
    withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: max(count, 1)) { native in
      var index = 0
      forEach { name, value in
        native[index] = cnghttp2_field(
          name.baseAddress,
          name.count,
          value.baseAddress,
          value.count,
          0
        )
        index += 1
      }
      return body(UnsafeBufferPointer(rebasing: native[..<count]))
    }
  }
}
