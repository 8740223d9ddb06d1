/// Bytes on their way to a socket: appended at the end, taken from the front.
package struct OutputBuffer: ~Copyable {
  /// What waits lies in `start..<end`; the rest is room.
  ///
  /// To write there costs less than to make the array longer at each append.
  private var memory: [UInt8] = []
  private var start = 0
  private var end = 0

  /// Bytes that a loop keeps for its connections; more is freed.
  private static let keptBytes = 128 * 1_024
  private static let smallestBytes = 4 * 1_024

  init() {}

  /// Bytes that wait.
  package var count: Int { end - start }
  /// Whether nothing waits.
  package var isEmpty: Bool { start == end }

  /// Copies `source` to the end.
  package mutating func append(_ source: UnsafeRawBufferPointer) {
    guard let bytes = source.baseAddress else { return }
    if memory.count - end < source.count { makeRoom(for: source.count) }
    memory.withUnsafeMutableBytes { memory in
      guard let base = memory.baseAddress else { return }
      (base + end).copyMemory(from: bytes, byteCount: source.count)
    }
    end += source.count
  }

  /// Copies `source` to the end.
  package mutating func append(_ source: [UInt8]) {
    source.withUnsafeBytes { append($0) }
  }

  /// Copies `source` to the end.
  package mutating func append(_ source: ArraySlice<UInt8>) {
    source.withUnsafeBytes { append($0) }
  }

  /// At least doubles the memory, so that a long output is not copied at each step.
  @inline(never)
  private mutating func makeRoom(for more: Int) {
    let wanted = max(end + more, 2 * memory.count, Self.smallestBytes)
    memory.append(contentsOf: repeatElement(0, count: wanted - memory.count))
  }

  /// Takes memory of a loop while there is nothing to send.
  mutating func borrow(_ memory: inout [UInt8]) {
    if self.memory.isEmpty { swap(&self.memory, &memory) }
  }

  /// Gives the memory back to a loop; keeps it while bytes wait.
  mutating func giveBack(_ memory: inout [UInt8]) {
    guard isEmpty else { return }
    if self.memory.count <= Self.keptBytes, memory.isEmpty {
      swap(&self.memory, &memory)
    } else {
      self.memory = []
    }
  }

  /// Lends the waiting bytes.
  func withPending<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    memory.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
  }

  /// Forgets the first `count` bytes: they were sent.
  mutating func consume(_ count: Int) {
    start += count
    guard isEmpty else { return }
    start = 0
    end = 0
  }
}
