internal import EventLoop
internal import Foundation
internal import Synchronization

/// Gathers finished lines and writes them to a descriptor from a thread of its own.
///
/// Callers only append to a buffer: a reader of the log that stalls never blocks a service. Beyond
/// `maxBufferedBytes` lines are dropped and counted, and the count is written as soon as there is
/// room again.
package final class LogSink: Sendable {
  private let descriptor: Int32
  private let writer: EventLoop
  private let state = Mutex(State())

  private struct State {
    var buffer: [UInt8] = []
    var isScheduled = false
    var dropped = 0
  }

  /// Lines kept while nobody reads.
  private static let maxBufferedBytes = 4 * 1024 * 1024

  /// Starts the writing thread.
  package init(descriptor: Int32) throws {
    self.descriptor = descriptor
    writer = try EventLoop(name: "log")
    writer.start()
  }

  /// Takes one line without its newline.
  package func append(_ line: [UInt8]) {
    let mustSchedule = state.withLock { state in
      guard state.buffer.count + line.count < Self.maxBufferedBytes else {
        state.dropped += 1
        return false
      }
      state.buffer.append(contentsOf: line)
      state.buffer.append(UInt8(ascii: "\n"))
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
    if mustSchedule { writer.submit { [self] in drain() } }
  }

  /// Writes what is buffered and ends the thread.
  ///
  /// Lines that come later are dropped.
  package func close() {
    writer.stop()
    drain()
  }

  private func drain() {
    while true {
      let (bytes, dropped) = state.withLock { state in
        defer {
          state.buffer = []
          state.dropped = 0
        }
        state.isScheduled = !state.buffer.isEmpty
        return (state.buffer, state.dropped)
      }
      guard !bytes.isEmpty else { return }
      write(bytes)
      guard dropped > 0 else { continue }
      write(Array("{\"message\":\"log lines dropped\",\"count\":\(dropped)}\n".utf8))
    }
  }

  /// Blocks its own thread only.
  ///
  /// A broken reader ends the attempt: there is nobody to tell.
  private func write(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { buffer in
      var rest = buffer[...]
      while !rest.isEmpty {
        let chunk = UnsafeRawBufferPointer(rebasing: rest)
        let count = Foundation.write(descriptor, chunk.baseAddress, chunk.count)
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if errno != EINTR {
          return
        }
      }
    }
  }
}
