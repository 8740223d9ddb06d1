internal import CChildProcess
internal import EventLoop
internal import Synchronization

/// One child process whose pipes are served by a loop.
///
/// It gets its input and is read until its output ends; then it is waited for on the thread pool, and
/// killed if it goes on. Cancelling kills it at once. One use.
actor ChildProcess {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// What became of a child.
  struct End: Sendable {
    /// Exit status, or 128 + signal.
    let status: Int32
    /// The first bytes of its standard error.
    let complaint: String
  }

  /// Why a child could not be started.
  struct SpawnError: Error, CustomStringConvertible {
    let path: String
    let code: Int32
    var description: String { "cannot start \(path): errno \(code)" }
  }

  private var child = cchild()
  private var pending: ArraySlice<UInt8> = []
  private var watchers: [FDWatcher?] = [nil, nil, nil]
  private var complaint: [UInt8] = []
  private var isOver = false
  private var waiter: CheckedContinuation<Void, Never>?
  private let receive: @Sendable (UnsafeRawBufferPointer) -> Bool

  private static let maxComplaintBytes = 4_096
  private static let chunkBytes = 256 * 1024
  /// Time that a child has to exit after the end of its output: it closes that a moment before.
  private static let graceMilliseconds: Int32 = 1_000

  /// Prepares a child on `loop`; `receive` takes its output piece by piece and returns false to end it.
  init(loop: EventLoop, receive: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool) {
    self.loop = loop
    self.receive = receive
  }

  /// Runs the program at `path` with `input` on its standard input until it ends.
  ///
  /// - Parameters:
  ///   - path: The program; it gets no arguments.
  ///   - input: What it reads.
  ///   - timeout: After this it is killed.
  /// - Returns: How it ended.
  /// - Throws: ``SpawnError``, or an error of the loop.
  func run(_ path: String, input: [UInt8], timeout: Duration) async throws -> End {
    let code = path.withCString { cchild_spawn($0, &child) }
    guard code == 0 else { throw SpawnError(path: path, code: code) }
    let pid = child.pid
    pending = input[...]
    let timer = loop.schedule(after: timeout) { cchild_kill(pid) }
    do {
      try watchPipes()
    } catch {
      timer.cancel()
      finish()
      _ = try? await loop.offload { cchild_wait(pid, 0) }
      throw error
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { done in
        if isOver { done.resume() } else { waiter = done }
      }
    } onCancel: {
      cchild_kill(pid)
    }
    // From here on the number may be another process': nothing may kill it any more.
    timer.cancel()
    let status = try await loop.offload { cchild_wait(pid, Self.graceMilliseconds) }
    return End(status: status, complaint: String(decoding: complaint, as: UTF8.self))
  }

  private func watchPipes() throws {
    watchers[0] = try loop.watch(child.input, for: .writable) { [self] _ in
      assumeIsolated { $0.writeInput() }
    }
    watchers[1] = try loop.watch(child.output, for: .readable) { [self] _ in
      assumeIsolated { $0.readOutput() }
    }
    watchers[2] = try loop.watch(child.errors, for: .readable) { [self] _ in
      assumeIsolated { $0.readErrors() }
    }
  }

  private func writeInput() {
    while !pending.isEmpty {
      let count = pending.withUnsafeBytes { cchild_write(child.input, $0.baseAddress, $0.count) }
      if count == Int(CCHILD_AGAIN) { return }
      // A child that reads no more may still have its say.
      guard count > 0 else { break }
      pending = pending.dropFirst(count)
    }
    closePipe(0, child.input)
  }

  private func readOutput() {
    withUnsafeTemporaryAllocation(byteCount: Self.chunkBytes, alignment: 16) { buffer in
      while watchers[1] != nil {
        let count = cchild_read(child.output, buffer.baseAddress, buffer.count)
        if count == Int(CCHILD_AGAIN) { return }
        guard count > 0 else { return finish() }
        guard receive(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else {
          cchild_kill(child.pid)
          return finish()
        }
      }
    }
  }

  private func readErrors() {
    withUnsafeTemporaryAllocation(byteCount: Self.maxComplaintBytes, alignment: 16) { buffer in
      while watchers[2] != nil {
        let count = cchild_read(child.errors, buffer.baseAddress, buffer.count)
        if count == Int(CCHILD_AGAIN) { return }
        guard count > 0 else { return closePipe(2, child.errors) }
        let room = Self.maxComplaintBytes - complaint.count
        complaint.append(contentsOf: buffer[..<min(count, room)])
      }
    }
  }

  private func closePipe(_ index: Int, _ descriptor: Int32) {
    guard let watcher = watchers[index] else { return }
    watcher.close()
    watchers[index] = nil
    cchild_close(descriptor)
  }

  /// The child has said everything, or may say no more.
  private func finish() {
    guard !isOver else { return }
    isOver = true
    if watchers[2] != nil { readErrors() }
    closePipe(0, child.input)
    closePipe(1, child.output)
    closePipe(2, child.errors)
    waiter?.resume()
    waiter = nil
  }
}
