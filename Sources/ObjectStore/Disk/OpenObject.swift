#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// An object that is open for reading in pieces.
///
/// The file stays readable even when the object is replaced or removed meanwhile.
package final class OpenObject: Sendable {
  /// Bytes of the object.
  package let size: Int
  /// The type it was stored with.
  package let contentType: String
  private let descriptor: Int32
  private let start: Int

  init(takingOwnership descriptor: Int32, start: Int, size: Int, contentType: String) {
    self.descriptor = descriptor
    self.start = start
    self.size = size
    self.contentType = contentType
  }

  deinit { close(descriptor) }

  /// Reads up to `count` bytes at `position`, fewer at the end.
  ///
  /// Blocks: call it on a loop's thread pool.
  package func read(_ count: Int, at position: Int) throws(ObjectStoreError) -> [UInt8] {
    var result = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      repeat {
        result = pread(descriptor, buffer.baseAddress, count, off_t(start + position))
      } while result < 0 && errno == EINTR
      initialized = max(result, 0)
    }
    guard result >= 0 else {
      throw ObjectStoreError(.unavailable, "pread: \(String(cString: strerror(errno)))")
    }
    return bytes
  }
}
