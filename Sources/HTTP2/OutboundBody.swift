/// What a stream still has to send: chunks, then perhaps trailers, then the end.
///
/// Most bodies are one chunk: that one needs no list.
struct OutboundBody {
  private var current: [UInt8] = []
  private var offset = 0
  private var later: [[UInt8]] = []
  private var nextLater = 0
  private(set) var pendingBytes = 0
  private(set) var isFinished = false
  private(set) var trailers = OutboundTrailers.none

  /// Whether every byte was taken and no more will come.
  var isDrained: Bool { isFinished && pendingBytes == 0 }
  /// Whether bytes, or the end, wait to be taken.
  var hasWork: Bool { pendingBytes > 0 || isFinished }

  mutating func append(_ chunk: [UInt8]) {
    guard !chunk.isEmpty else { return }
    if pendingBytes == 0 {
      current = chunk
      offset = 0
    } else if !appendToLast(chunk) {
      later.append(chunk)
    }
    pendingBytes += chunk.count
  }

  /// Joins small chunks to one: a stream of short messages then costs one copy and no list.
  private mutating func appendToLast(_ chunk: [UInt8]) -> Bool {
    if nextLater == later.count {
      guard current.count + chunk.count <= Self.joinedBytes else { return false }
      current.append(contentsOf: chunk)
    } else {
      guard later[later.count - 1].count + chunk.count <= Self.joinedBytes else { return false }
      later[later.count - 1].append(contentsOf: chunk)
    }
    return true
  }

  /// Bytes that small chunks are joined up to: one DATA frame's worth.
  private static let joinedBytes = 16 * 1_024

  mutating func finish(trailers: OutboundTrailers) {
    isFinished = true
    self.trailers = trailers
  }

  /// Moves up to `target.count` bytes; returns how many.
  mutating func take(into target: UnsafeMutableRawBufferPointer) -> Int {
    var written = 0
    while written < target.count, pendingBytes > 0 {
      let count = min(target.count - written, current.count - offset)
      current.withUnsafeBytes { source in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        (to + written).copyMemory(from: from + offset, byteCount: count)
      }
      written += count
      offset += count
      pendingBytes -= count
      if offset == current.count { advance() }
    }
    return written
  }

  private mutating func advance() {
    offset = 0
    guard nextLater < later.count else {
      current = []
      return
    }
    current = later[nextLater]
    later[nextLater] = []
    nextLater += 1
    guard nextLater == later.count || nextLater >= Self.compactAfter else { return }
    later.removeFirst(nextLater)
    nextLater = 0
  }

  /// Sent chunks that are kept before the list is shortened.
  private static let compactAfter = 64
}
