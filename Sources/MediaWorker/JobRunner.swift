#if canImport(Glibc)
  internal import Glibc
#endif
import Media
import MediaProtocol

/// Reads one request from the pipe, runs it, and writes the replies.
struct JobRunner {
  /// Bytes read at a time.
  private static let pieceBytes = 256 * 1024

  /// The engine, or why it could not be made: told to the parent as any other failure.
  let engine: Result<MediaEngine, MediaError>

  /// Runs to the exit status.
  func run() -> Int32 {
    do throws(MediaError) {
      let request = try readRequest()
      let (result, png) = try engine.get().run(request) { send(.progress($0)) }
      send(.finished(result, png: png))
      return ExitCode.finished
    } catch {
      send(.failed(error))
      return ExitCode.failed
    }
  }

  private func readRequest() throws(MediaError) -> MediaRequest {
    var reader = MediaRequestReader()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count = read(STDIN_FILENO, buffer.baseAddress, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw MediaError(.protocolViolation, "The request ended too early.")
      }
      let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      if let request = try reader.receive(piece) { return request }
    }
  }

  private func send(_ reply: MediaReply) {
    let bytes = reply.encoded()
    bytes.withUnsafeBytes { whole in
      var rest = whole[...]
      while !rest.isEmpty {
        let piece = UnsafeRawBufferPointer(rebasing: rest)
        let count = write(STDOUT_FILENO, piece.baseAddress, piece.count)
        if count < 0, errno == EINTR { continue }
        // Nobody listens any more: the job is cancelled.
        guard count > 0 else { exit(ExitCode.abandoned) }
        rest = rest.dropFirst(count)
      }
    }
  }
}
