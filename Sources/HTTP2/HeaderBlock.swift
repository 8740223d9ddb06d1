internal import CNghttp2

/// The fields of one header block, in order, in one piece of memory.
///
/// Names are lower case, as HTTP/2 wants them (RFC 9113 §8.2). Pseudo fields (`:path`) are fields like
/// the others.
// @unchecked: the memory is written by its only owner, and copied when there are more.
@usableFromInline
package struct HeaderBlock: @unchecked Sendable {
  @usableFromInline var memory: HeaderMemory?
  private var usedBytes = 0
  /// Number of fields.
  @usableFromInline package private(set) var count = 0

  package init() {}

  /// Whether there is no field.
  package var isEmpty: Bool { count == 0 }
  /// Size as the protocol counts it: name + value + 32 for each field.
  package var listBytes: Int { usedBytes + (32 - StoredField.headBytes) * count }

  /// Makes room for a typical block by one allocation.
  package mutating func reserve(fields: Int, bytes: Int) {
    makeRoom(for: bytes + fields * StoredField.headBytes)
  }

  /// Hands out the fields and is empty then.
  mutating func take() -> HeaderBlock {
    let taken = self
    self = HeaderBlock()
    return taken
  }

  /// Adds a field at the end.
  package mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>)
  {
    if !isKnownUniquelyReferenced(&memory) { makeRoom(for: 0) }
    appendUncopied(name: name, value: value)
  }

  /// The same for a block of which there is no copy, as of one that is coming in: a look for copies is
  /// spared.
  @inline(__always)
  mutating func appendUncopied(
    name: UnsafeBufferPointer<UInt8>,
    value: UnsafeBufferPointer<UInt8>
  ) {
    assert(memory == nil || isKnownUniquelyReferenced(&memory))
    let size = StoredField.headBytes + name.count + value.count
    if freeBytes < size { makeRoom(for: size) }
    guard let start = memory?.start else { return }
    StoredField.store(name, value, at: start + usedBytes)
    usedBytes += size
    count += 1
  }

  /// Adds a field at the end.
  package mutating func append(_ name: String, _ value: String) {
    var name = name
    var value = value
    name.withUTF8 { name in value.withUTF8 { append(name: name, value: $0) } }
  }

  private var freeBytes: Int { (memory?.room ?? 0) - usedBytes }

  /// Moves the fields to memory that nobody else has, with room for `more` bytes behind them.
  @inline(never)
  private mutating func makeRoom(for more: Int) {
    let wider = HeaderMemory.make(room: max(usedBytes + more, 2 * (memory?.room ?? 0)))
    if let memory { cnghttp2_copy(wider.start, memory.start, usedBytes) }
    memory = wider
  }

  /// Lends name and value of each field, in order.
  // Inlined into its callers: to look at a head is then one loop without a call.
  @inlinable @inline(__always)
  package func forEach(
    _ body: (_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Void
  ) {
    guard let memory else { return }
    var next = UnsafeRawPointer(memory.start)
    for _ in 0..<count {
      let field = StoredField(at: next)
      body(field.name, field.value)
      next = field.end
    }
    withExtendedLifetime(memory) {}
  }

  /// Lends the value of the first field called `name`.
  package func withValue<R>(
    of name: StaticString,
    _ body: (UnsafeBufferPointer<UInt8>) -> R
  ) -> R? {
    guard let memory else { return nil }
    return withExtendedLifetime(memory) {
      var next = UnsafeRawPointer(memory.start)
      for _ in 0..<count {
        let field = StoredField(at: next)
        if field.name.equals(name) { return body(field.value) }
        next = field.end
      }
      return nil
    }
  }

  /// The value of the first field called `name`; invalid UTF-8 is replaced.
  package func first(_ name: String) -> String? {
    fields.first { $0.name == name }?.value
  }

  /// The value of the first field called `name`, without making a string of other fields.
  package func value(of name: StaticString) -> String? {
    withValue(of: name) { String(decoding: $0, as: UTF8.self) }
  }

  /// Name and value of every field, in order; invalid UTF-8 is replaced.
  package var fields: [(name: String, value: String)] {
    var result: [(name: String, value: String)] = []
    forEach {
      result.append((String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self)))
    }
    return result
  }

  /// Adds all fields of another block at the end.
  package mutating func append(contentsOf other: HeaderBlock) {
    other.forEach { name, value in append(name: name, value: value) }
  }
}

extension HeaderBlock: ExpressibleByDictionaryLiteral {
  @usableFromInline
  package init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { append(name, value) }
  }
}

/// The memory of a header block: one allocation, which copies of the block share.
@usableFromInline
final class HeaderMemory: ManagedBuffer<Int, UInt8> {
  fileprivate var room: Int { header }

  fileprivate static func make(room: Int) -> HeaderMemory {
    unsafeDowncast(create(minimumCapacity: room) { _ in room }, to: HeaderMemory.self)
  }

  @inlinable var start: UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(withUnsafeMutablePointerToElements { $0 })
  }
}

/// One field in the memory of a block: length of the name, length of the value, name, value.
@usableFromInline
struct StoredField {
  /// The two lengths in front.
  @inlinable static var headBytes: Int { 8 }

  @usableFromInline let name: UnsafeBufferPointer<UInt8>
  @usableFromInline let value: UnsafeBufferPointer<UInt8>

  /// The field at an address; its bytes live as long as the memory there.
  @inlinable
  init(at start: UnsafeRawPointer) {
    let nameCount = Int(start.loadUnaligned(as: UInt32.self))
    let valueCount = Int(start.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    let text = (start + Self.headBytes).assumingMemoryBound(to: UInt8.self)
    name = UnsafeBufferPointer(start: text, count: nameCount)
    value = UnsafeBufferPointer(start: text + nameCount, count: valueCount)
  }

  /// Where the next field begins.
  @inlinable var end: UnsafeRawPointer {
    UnsafeRawPointer(value.baseAddress.unsafelyUnwrapped + value.count)
  }

  @inline(__always)
  fileprivate static func store(
    _ name: UnsafeBufferPointer<UInt8>,
    _ value: UnsafeBufferPointer<UInt8>,
    at start: UnsafeMutableRawPointer
  ) {
    start.storeBytes(of: UInt32(truncatingIfNeeded: name.count), as: UInt32.self)
    start.storeBytes(of: UInt32(truncatingIfNeeded: value.count), toByteOffset: 4, as: UInt32.self)
    let text = start + headBytes
    cnghttp2_copy(text, name.baseAddress, name.count)
    cnghttp2_copy(text + name.count, value.baseAddress, value.count)
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether these are the bytes of `text`.
  // Inlined, and by words: where `text` is a short literal, as the names of fields are, a comparison is
  // a few instructions and no call.
  @inlinable @inline(__always)
  package func equals(_ text: StaticString) -> Bool {
    // The literal's length, not ours, though both are the same: it is known when this is compiled.
    let length = text.utf8CodeUnitCount
    guard count == length else { return false }
    let mine = UnsafeRawBufferPointer(self)
    let theirs = UnsafeRawBufferPointer(start: text.utf8Start, count: length)
    var index = 0
    while index + 8 <= length {
      let word = mine.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      let other = theirs.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      guard word == other else { return false }
      index += 8
    }
    while index < length {
      guard mine[index] == theirs[index] else { return false }
      index += 1
    }
    return true
  }

  /// Whether these are the bytes of `other`.
  package func equals(_ other: [UInt8]) -> Bool {
    count == other.count
      && other.withUnsafeBufferPointer {
        cnghttp2_equal(baseAddress, $0.baseAddress, count)
      }
  }
}
