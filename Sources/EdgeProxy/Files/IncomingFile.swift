internal import EventLoop
internal import Foundation
internal import Synchronization

/// A file that an upload is written to, in the store's own filesystem.
///
/// Every call blocks: they belong on the loop's thread pool, one at a time.
final class IncomingFile: Sendable {
  /// The system's word for what went wrong.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// -1 when closed.
  private let descriptor: Mutex<Int32>

  /// Makes the file; it must not exist.
  init(_ path: String) throws {
    let opened = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard opened >= 0 else { throw Self.failure("open") }
    descriptor = Mutex(opened)
  }

  deinit {
    let left = descriptor.withLock { $0 }
    if left >= 0 { close(left) }
  }

  /// Writes all of `bytes` at the end.
  func append(_ bytes: [UInt8]) throws {
    let descriptor = descriptor.withLock { $0 }
    try bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let chunk = UnsafeRawBufferPointer(rebasing: rest)
        let written = write(descriptor, chunk.baseAddress, chunk.count)
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { throw Self.failure("write") }
        rest = rest.dropFirst(written)
      }
    }
  }

  /// Brings the bytes to the disk and closes the file.
  func finish() throws {
    try descriptor.withLock { descriptor in
      defer {
        close(descriptor)
        descriptor = -1
      }
      guard fsync(descriptor) == 0 else { throw Self.failure("fsync") }
    }
  }

  /// Closes the file as it is.
  func abandon(on loop: EventLoop) async {
    try? await loop.offload { [self] in
      descriptor.withLock { descriptor in
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
      }
    }
  }

  /// Removes a file that will not be used; one that is not there is fine.
  static func remove(_ path: String, on loop: EventLoop) async {
    try? await loop.offload { _ = unlink(path) }
  }

  private static func failure(_ call: String) -> Failure {
    Failure(description: "\(call): \(String(cString: strerror(errno)))")
  }
}
