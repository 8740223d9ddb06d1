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
  private var headCount = 0

  /// Starts in front of `preface` bytes that are no frame.
  init(preface: Int) { skip = preface }

  mutating func take(_ bytes: UnsafeRawBufferPointer) {
    var index = 0
    while index < bytes.count {
      if skip > 0 {
        let step = min(skip, bytes.count - index)
        skip -= step
        index += step
        continue
      }
      // Most heads come whole.
      if headCount == 0, bytes.count - index >= Self.headBytes {
        note(bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self).bigEndian)
        index += Self.headBytes
        continue
      }
      // Three bytes of length and one of type are all that counts.
      if headCount < 4 { head = head << 8 | UInt32(bytes[index]) }
      headCount += 1
      index += 1
      guard headCount == Self.headBytes else { continue }
      note(head)
      head = 0
      headCount = 0
    }
  }

  private mutating func note(_ head: UInt32) {
    if head & 0xFF == 0 { frames += 1 }
    skip = Int(head >> 8)
  }
}
