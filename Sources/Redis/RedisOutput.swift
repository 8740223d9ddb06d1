/// Commands in Redis's wire format that wait to be sent.
///
/// A command is its count of parts, then each part with its length. They are written behind each other
/// into one piece of memory, which is kept.
package struct RedisOutput: ~Copyable {
  private var start: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var end = 0
  private var sent = 0

  /// Memory that is kept when everything has been sent.
  private static let keptBytes = 64 * 1_024
  /// Room for the longest number, and for two ends of lines.
  private static let lineBytes = 32

  init(capacity: Int = 4 * 1_024) {
    self.capacity = capacity
    start = .allocate(capacity: capacity)
  }

  deinit { start.deallocate() }

  /// What has not been sent yet; valid until the next change.
  var unsent: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start + sent, count: end - sent)
  }

  var isEmpty: Bool { sent == end }

  /// Forgets the first `count` bytes, which are sent.
  mutating func drop(_ count: Int) {
    sent += count
    guard sent == end else { return }
    (sent, end) = (0, 0)
    guard capacity > Self.keptBytes else { return }
    start.deallocate()
    capacity = Self.keptBytes
    start = .allocate(capacity: capacity)
  }

  /// Begins a command of `count` parts, its name included.
  mutating func begin(partCount count: Int) {
    reserve(Self.lineBytes)
    line(UInt8(ascii: "*"), count)
  }

  /// Adds one part: `$<length>`, the bytes, each ended by CR LF.
  mutating func append(_ part: UnsafeRawBufferPointer) {
    reserve(part.count + Self.lineBytes)
    line(UInt8(ascii: "$"), part.count)
    copy(part)
    lineEnd()
  }

  mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// Adds one part: the decimal digits.
  mutating func append(_ number: Int) {
    reserve(2 * Self.lineBytes)
    let isNegative = number < 0
    let magnitude = number.magnitude
    let count = Self.digitCount(magnitude)
    line(UInt8(ascii: "$"), isNegative ? count + 1 : count)
    if isNegative { byte(UInt8(ascii: "-")) }
    digits(magnitude, count)
    lineEnd()
  }

  /// Adds bytes that are in the wire format already.
  mutating func append(encoded bytes: [UInt8]) {
    reserve(bytes.count)
    bytes.withUnsafeBytes { copy($0) }
  }

  // MARK: Parts of a part; there is room for all of them.

  private mutating func line(_ kind: UInt8, _ number: Int) {
    byte(kind)
    digits(UInt(number), Self.digitCount(UInt(number)))
    lineEnd()
  }

  private mutating func digits(_ number: UInt, _ count: Int) {
    var rest = number
    var place = end + count
    repeat {
      place -= 1
      start[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while rest > 0
    end += count
  }

  private mutating func lineEnd() {
    byte(13)
    byte(10)
  }

  private mutating func byte(_ byte: UInt8) {
    start[end] = byte
    end &+= 1
  }

  private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    UnsafeMutableRawPointer(start + end).copyMemory(from: base, byteCount: bytes.count)
    end += bytes.count
  }

  private static func digitCount(_ number: UInt) -> Int {
    var (count, rest) = (1, number)
    while rest >= 10_000 {
      rest /= 10_000
      count += 4
    }
    return count + (rest >= 1_000 ? 3 : rest >= 100 ? 2 : rest >= 10 ? 1 : 0)
  }

  private mutating func reserve(_ count: Int) {
    if end + count > capacity { grow(count) }
  }

  private mutating func grow(_ count: Int) {
    capacity = max(capacity * 2, end + count)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    larger.update(from: start, count: end)
    start.deallocate()
    start = larger
  }
}
