/// Writes JSON text straight into bytes.
///
/// Commas are placed by looking at the last byte written, so there is no state but the bytes: after
/// `{`, `[` and `:` none is due. Callers keep the nesting right.
package struct JSONWriter {
  /// What was written so far.
  package var bytes: [UInt8]

  /// Makes a writer with room for `capacity` bytes.
  @inlinable package init(reserving capacity: Int = 256) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// Makes a writer that appends to `bytes`.
  @inlinable package init(appendingTo bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// Writes the comma that is due before a value that the caller writes itself.
  package mutating func separate() {
    switch bytes.last {
    case nil, UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: ":"), UInt8(ascii: "\n"): break
    default: bytes.append(UInt8(ascii: ","))
    }
  }

  /// Opens an object.
  package mutating func beginObject() {
    separate()
    bytes.append(UInt8(ascii: "{"))
  }

  /// Closes an object.
  package mutating func endObject() { bytes.append(UInt8(ascii: "}")) }

  /// Opens an array.
  package mutating func beginArray() {
    separate()
    bytes.append(UInt8(ascii: "["))
  }

  /// Closes an array.
  package mutating func endArray() { bytes.append(UInt8(ascii: "]")) }

  /// Writes a member's name that is already quoted, escaped and followed by its colon.
  package mutating func preparedKey(_ key: [UInt8]) {
    separate()
    bytes += key
  }

  /// Writes a member's name.
  package mutating func key(_ name: some StringProtocol) {
    string(name)
    bytes.append(UInt8(ascii: ":"))
  }

  /// Writes a member's name given as UTF-8.
  package mutating func key(utf8 name: UnsafeBufferPointer<UInt8>) {
    string(utf8: name)
    bytes.append(UInt8(ascii: ":"))
  }

  /// Writes `null`.
  package mutating func null() { literal("null") }

  /// Writes `true` or `false`.
  package mutating func bool(_ value: Bool) { literal(value ? "true" : "false") }

  /// Writes text that is JSON already.
  package mutating func raw(_ json: some Collection<UInt8>) {
    separate()
    bytes.append(contentsOf: json)
  }

  private mutating func literal(_ text: StaticString) {
    separate()
    bytes.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    )
  }

  /// Writes an integer.
  package mutating func int(_ value: Int64) {
    separate()
    digits(of: value)
  }

  /// Writes an unsigned integer.
  package mutating func uint(_ value: UInt64) {
    separate()
    digits(of: value, negative: false)
  }

  /// Appends the decimal digits alone, without a comma.
  package mutating func digits(of value: Int64) {
    digits(of: value.magnitude, negative: value < 0)
  }

  /// Appends the decimal digits of a magnitude alone, without a comma.
  package mutating func digits(of value: UInt64, negative: Bool) {
    if negative { bytes.append(UInt8(ascii: "-")) }
    let start = bytes.count
    var rest = value
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
  }

  /// Writes a finite number in its shortest form; whole numbers without a fraction.
  package mutating func double(_ value: Double) {
    if let whole = Int64(exactly: value), whole.magnitude < 1 << 53,
      value.sign == .plus || whole != 0
    {
      int(whole)
    } else {
      separate()
      bytes.append(contentsOf: value.description.utf8)
    }
  }

  /// Writes a finite number in the shortest form that gives the same `Float` again.
  package mutating func float(_ value: Float) {
    if let whole = Int64(exactly: value), whole.magnitude < 1 << 24,
      value.sign == .plus || whole != 0
    {
      int(whole)
    } else {
      separate()
      bytes.append(contentsOf: value.description.utf8)
    }
  }

  /// Writes a string.
  package mutating func string(_ value: some StringProtocol) {
    let whole: Void? = value.utf8.withContiguousStorageIfAvailable { string(utf8: $0) }
    guard whole == nil else { return }
    var copy = String(value)
    copy.withUTF8 { string(utf8: $0) }
  }

  /// Writes a string given as valid UTF-8.
  package mutating func string(utf8: UnsafeBufferPointer<UInt8>) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    appendEscaped(utf8)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Appends the inside of a string, without quotes.
  package mutating func appendEscaped(_ utf8: UnsafeBufferPointer<UInt8>) {
    var written = 0
    for index in utf8.indices {
      let byte = utf8[index]
      if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[written..<index]))
      appendEscape(of: byte)
      written = index + 1
    }
    bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[written...]))
  }

  private mutating func appendEscape(of byte: UInt8) {
    bytes.append(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
    case 0x0A: bytes.append(UInt8(ascii: "n"))
    case 0x0D: bytes.append(UInt8(ascii: "r"))
    case 0x09: bytes.append(UInt8(ascii: "t"))
    case 0x08: bytes.append(UInt8(ascii: "b"))
    case 0x0C: bytes.append(UInt8(ascii: "f"))
    default:
      let hex = StaticString("0123456789abcdef").utf8Start
      bytes += [UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")]
      bytes += [hex[Int(byte >> 4)], hex[Int(byte & 15)]]
    }
  }
}
