/// What kind of JSON value an element is; the raw value is the tape's type character.
package enum JSONKind: UInt8, Sendable {
  case object = 0x7B
  case array = 0x5B
  case string = 0x22
  case int64 = 0x6C
  case uint64 = 0x75
  case double = 0x64
  case `true` = 0x74
  case `false` = 0x66
  case null = 0x6E
  case endOfObject = 0x7D
  case endOfArray = 0x5D
  case root = 0x72
}

/// One value of a parsed text: a place on the parser's tape.
///
/// Costs nothing to copy. Valid until the parser reads its next text.
package struct JSONElement {
  @usableFromInline let tape: UnsafePointer<UInt64>
  @usableFromInline let strings: UnsafePointer<UInt8>
  @usableFromInline let index: Int

  @usableFromInline
  init(tape: UnsafePointer<UInt64>, strings: UnsafePointer<UInt8>, index: Int) {
    self.tape = tape
    self.strings = strings
    self.index = index
  }

  /// The kind of this value.
  @inlinable package var kind: JSONKind {
    JSONKind(rawValue: UInt8(truncatingIfNeeded: tape[index] >> 56)) ?? .root
  }

  @usableFromInline var payload: UInt64 {
    @inlinable get { tape[index] & 0x00FF_FFFF_FFFF_FFFF }
  }

  /// The value of an `.int64` element.
  @inlinable package var int64: Int64 { Int64(bitPattern: tape[index + 1]) }

  /// The value of a `.uint64` element: one beyond `Int64.max`.
  @inlinable package var uint64: UInt64 { tape[index + 1] }

  /// The value of a `.double` element.
  @inlinable package var double: Double { Double(bitPattern: tape[index + 1]) }

  /// The bytes of a `.string` element, escapes resolved: valid UTF-8, may contain NUL.
  @inlinable package var utf8: UnsafeBufferPointer<UInt8> {
    let start = strings + Int(payload)
    let length = UnsafeRawPointer(start).loadUnaligned(as: UInt32.self)
    return UnsafeBufferPointer(start: start + 4, count: Int(length))
  }

  /// A copy of a `.string` element.
  package var string: String { String(decoding: utf8, as: UTF8.self) }

  /// The first key of an object or first element of an array; its end when it is empty.
  @inlinable package var first: JSONElement {
    JSONElement(tape: tape, strings: strings, index: index + 1)
  }

  /// Whether this is the end of the object or array that is being walked.
  @inlinable package var isEnd: Bool {
    let kind = kind
    return kind == .endOfObject || kind == .endOfArray
  }

  /// The element behind this one: the value behind a key, the next key behind a value.
  @inlinable package var next: JSONElement {
    let following =
      switch kind {
      case .object, .array: Int(UInt32(truncatingIfNeeded: payload))
      case .int64, .uint64, .double: index + 2
      default: index + 1
      }
    return JSONElement(tape: tape, strings: strings, index: following)
  }

  /// The number of elements of an array (or members of an object).
  ///
  /// Counted by walking when there are more than the tape's 24-bit counter can say.
  package var count: Int {
    let counted = Int(payload >> 32)
    guard counted >= 0xFF_FFFF else { return counted }
    var total = 0
    var cursor = first
    while !cursor.isEnd {
      cursor = kind == .object ? cursor.next.next : cursor.next
      total += 1
    }
    return total
  }

  /// The value of the last member named `name` of an object.
  package func member(_ name: String) -> JSONElement? {
    guard kind == .object else { return nil }
    var found: JSONElement?
    var key = first
    while !key.isEnd {
      if key.utf8.elementsEqual(name.utf8) { found = key.next }
      key = key.next.next
    }
    return found
  }
}
