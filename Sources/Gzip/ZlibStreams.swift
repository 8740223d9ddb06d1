internal import CZlib

// zlib keeps the address of a `z_stream` in its own state: it lives on the heap, at one place.

/// Owns one `z_stream` that compresses; used once.
struct Deflater: ~Copyable {
  private let stream: UnsafeMutablePointer<z_stream>

  /// - Throws: ``GzipError/outOfMemory``: compressing takes 256 KiB.
  init(level: Int32) throws(GzipError) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard czlib_deflate_init(stream, level) == Z_OK else {
      stream.deallocate()
      throw .outOfMemory
    }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Compresses all of `bytes`; nil when `target` has too little room.
  func finish(_ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
    stream.pointee.setBuffers(bytes, target)
    guard deflate(stream, Z_FINISH) == Z_STREAM_END else { return nil }
    return target.count - Int(stream.pointee.avail_out)
  }
}

/// Owns one `z_stream` that inflates; used once.
struct Inflater: ~Copyable {
  enum Outcome {
    /// The member was complete: so many bytes.
    case finished(Int)
    /// The target is full, and there is more.
    case full
    case corrupt, outOfMemory
  }

  private let stream: UnsafeMutablePointer<z_stream>

  init() throws(GzipError) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard czlib_inflate_init(stream) == Z_OK else {
      stream.deallocate()
      throw .outOfMemory
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Inflates one member, which must be all of `bytes`.
  func finish(
    _ bytes: UnsafeRawBufferPointer,
    into target: UnsafeMutableRawBufferPointer
  ) -> Outcome {
    stream.pointee.setBuffers(bytes, target)
    switch inflate(stream, Z_FINISH) {
    case Z_STREAM_END where stream.pointee.avail_in == 0:
      return .finished(target.count - Int(stream.pointee.avail_out))
    case Z_BUF_ERROR where stream.pointee.avail_out == 0: return .full
    case Z_MEM_ERROR: return .outOfMemory
    default: return .corrupt
    }
  }
}

extension z_stream {
  fileprivate mutating func setBuffers(
    _ input: UnsafeRawBufferPointer,
    _ output: UnsafeMutableRawBufferPointer
  ) {
    // zlib only reads its input; the pointer is mutable for old compilers' sake.
    next_in = UnsafeMutableRawPointer(mutating: input.baseAddress)?
      .assumingMemoryBound(to: UInt8.self)
    avail_in = UInt32(input.count)
    next_out = output.bindMemory(to: UInt8.self).baseAddress
    avail_out = UInt32(output.count)
  }
}
