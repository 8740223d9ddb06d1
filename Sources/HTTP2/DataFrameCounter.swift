/// Counts the DATA frames in what a peer sends, by their heads alone (RFC 9113 §4.1).
///
/// libnghttp2 drops DATA of streams that are gone without calling anybody: only the difference
/// between what came and what it has shown tells of a flood of them.
struct DataFrameCounter {
  private static let headBytes = 9

  /// DATA frames whose head was complete.
  private(set) var frames = 0
  /// Bytes before the next head: the preface at first, then payloads.
  private var skip: Int
  private var head: UInt32 = 0
  private var id: UInt32 = 0
  private var headCount = 0

  /// Starts in front of `preface` bytes that are no frame.
  init(preface: Int) { skip = preface }

  mutating func take(_ bytes: UnsafeRawBufferPointer) { take(bytes) { _ in } }

  /// Takes what came; `onData` is told the stream of each DATA frame whose head is complete by now.
  @inline(__always)
  mutating func take(_ bytes: UnsafeRawBufferPointer, onData: (Int32) -> Void) {
    var index = 0
    while true {
      let step = min(skip, bytes.count - index)
      skip -= step
      index += step
      guard index < bytes.count else { return }
      // Three bytes of length and one of type; then one of flags, which is pushed out, and the stream.
      if headCount == 0, bytes.count - index >= Self.headBytes {
        head = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self))
        id = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: index + 5, as: UInt32.self))
        index += Self.headBytes
      } else {
        if headCount < 4 {
          head = head << 8 | UInt32(bytes[index])
        } else {
          id = id << 8 | UInt32(bytes[index])
        }
        headCount += 1
        index += 1
        guard headCount == Self.headBytes else { continue }
      }
      if head & 0xFF == 0 {
        frames += 1
        // The highest bit is reserved.
        onData(Int32(id & 0x7FFF_FFFF))
      }
      skip = Int(head >> 8)
      head = 0
      headCount = 0
    }
  }
}
