/// Bytes on their way to a socket: appended at the end, taken from the front.
package struct OutputBuffer: ~Copyable {
  private var bytes: [UInt8] = []
  private var start = 0

  /// Capacity that a loop keeps for its connections; more is freed.
  private static let keptCapacity = 128 * 1_024

  init() {}

  /// Bytes that wait.
  package var count: Int { bytes.count - start }
  /// Whether nothing waits.
  package var isEmpty: Bool { count == 0 }

  /// Copies `source` to the end.
  package mutating func append(_ source: UnsafeRawBufferPointer) {
    bytes.append(contentsOf: source)
  }

  /// Copies `source` to the end.
  package mutating func append(_ source: [UInt8]) {
    bytes.append(contentsOf: source)
  }

  /// Copies `source` to the end.
  package mutating func append(_ source: ArraySlice<UInt8>) {
    bytes.append(contentsOf: source)
  }

  /// Takes memory of a loop while there is nothing to send.
  mutating func borrow(_ memory: inout [UInt8]) {
    if bytes.capacity == 0 { swap(&bytes, &memory) }
  }

  /// Gives the memory back to a loop; keeps it while bytes wait.
  mutating func giveBack(_ memory: inout [UInt8]) {
    guard isEmpty else { return }
    if bytes.capacity <= Self.keptCapacity, memory.capacity == 0 {
      swap(&bytes, &memory)
    } else {
      bytes = []
    }
  }

  /// Lends the waiting bytes.
  func withPending<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start...])) }
  }

  /// Forgets the first `count` bytes: they were sent.
  mutating func consume(_ count: Int) {
    start += count
    guard start == bytes.count else { return }
    start = 0
    bytes.removeAll(keepingCapacity: true)
  }
}
