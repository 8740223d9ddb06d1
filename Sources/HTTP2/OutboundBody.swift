/// What a stream still has to send: chunks, then perhaps trailers, then the end.
struct OutboundBody {
  private var chunks: [[UInt8]] = []
  private var next = 0
  private var offset = 0
  private(set) var pendingBytes = 0
  private(set) var isFinished = false
  private(set) var trailers: HeaderBlock?

  /// Whether every byte was taken and no more will come.
  var isDrained: Bool { isFinished && pendingBytes == 0 }
  /// Whether bytes, or the end, wait to be taken.
  var hasWork: Bool { pendingBytes > 0 || isFinished }

  mutating func append(_ chunk: [UInt8]) {
    guard !chunk.isEmpty else { return }
    pendingBytes += chunk.count
    chunks.append(chunk)
  }

  mutating func finish(trailers: HeaderBlock?) {
    isFinished = true
    self.trailers = trailers
  }

  /// Moves up to `target.count` bytes; returns how many.
  mutating func take(into target: UnsafeMutableRawBufferPointer) -> Int {
    var written = 0
    while written < target.count, next < chunks.count {
      let count = min(target.count - written, chunks[next].count - offset)
      chunks[next].withUnsafeBytes { source in
        let part = UnsafeRawBufferPointer(rebasing: source[offset..<offset + count])
        UnsafeMutableRawBufferPointer(rebasing: target[written...]).copyMemory(from: part)
      }
      written += count
      offset += count
      if offset == chunks[next].count { dropChunk() }
    }
    pendingBytes -= written
    return written
  }

  private mutating func dropChunk() {
    offset = 0
    chunks[next] = []
    next += 1
    guard next == chunks.count || next >= Self.compactAfter else { return }
    chunks.removeFirst(next)
    next = 0
  }

  /// Sent chunks that are kept before the list is shortened.
  private static let compactAfter = 64
}
