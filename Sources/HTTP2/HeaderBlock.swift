internal import CNghttp2

/// The fields of one header block, in order, in one piece of memory.
///
/// Names are lower case, as HTTP/2 wants them (RFC 9113 §8.2). Pseudo fields (`:path`) are fields like
/// the others.
// @unchecked: the memory is written by its only owner, and copied when there are more.
package struct HeaderBlock: @unchecked Sendable {
  /// Fields one behind the other: length of the name, length of the value, name, value.
  private var memory: HeaderMemory?
  private var usedBytes = 0
  /// Number of fields.
  package private(set) var count = 0

  package init() {}

  /// Whether there is no field.
  package var isEmpty: Bool { count == 0 }
  /// Size as the protocol counts it: name + value + 32 for each field.
  package var listBytes: Int { usedBytes + (32 - HeaderMemory.headBytes) * count }

  /// Makes room for a typical block by one allocation.
  package mutating func reserve(fields: Int, bytes: Int) {
    makeRoom(for: bytes + fields * HeaderMemory.headBytes)
  }

  /// Adds a field at the end.
  package mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>)
  {
    let size = HeaderMemory.headBytes + name.count + value.count
    makeRoom(for: size)
    memory?.write(name, value, at: usedBytes)
    usedBytes += size
    count += 1
  }

  /// Adds a field at the end.
  package mutating func append(_ name: String, _ value: String) {
    var name = name
    var value = value
    name.withUTF8 { name in value.withUTF8 { append(name: name, value: $0) } }
  }

  /// Sees to it that nobody else has the memory, and that `more` bytes fit behind what is there.
  private mutating func makeRoom(for more: Int) {
    let wanted = usedBytes + more
    if isKnownUniquelyReferenced(&memory), let memory, memory.room >= wanted { return }
    let old = memory
    memory = .make(room: max(wanted, 2 * (old?.room ?? 0)))
    if let old { memory?.copy(old, usedBytes) }
  }

  /// Lends name and value of each field, in order.
  package func forEach(
    _ body: (_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Void
  ) {
    guard let memory else { return }
    withExtendedLifetime(memory) {
      var start = 0
      for _ in 0..<count {
        let (name, value) = memory.field(at: start)
        body(name, value)
        start += HeaderMemory.headBytes + name.count + value.count
      }
    }
  }

  /// Lends the value of the first field called `name`.
  package func withValue<R>(
    of name: StaticString,
    _ body: (UnsafeBufferPointer<UInt8>) -> R
  ) -> R? {
    guard let memory else { return nil }
    return withExtendedLifetime(memory) {
      var start = 0
      for _ in 0..<count {
        let field = memory.field(at: start)
        if field.name.equals(name) { return body(field.value) }
        start += HeaderMemory.headBytes + field.name.count + field.value.count
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
  package init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { append(name, value) }
  }
}

/// The memory of a header block: one allocation, which copies of the block share.
private final class HeaderMemory: ManagedBuffer<Int, UInt8> {
  /// Two lengths in front of each field.
  static let headBytes = 2 * MemoryLayout<UInt32>.size

  var room: Int { header }

  static func make(room: Int) -> HeaderMemory {
    let made = create(minimumCapacity: room) { _ in room }
    return unsafeDowncast(made, to: HeaderMemory.self)
  }

  private var start: UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(withUnsafeMutablePointerToElements { $0 })
  }

  func write(
    _ name: UnsafeBufferPointer<UInt8>,
    _ value: UnsafeBufferPointer<UInt8>,
    at offset: Int
  ) {
    let field = start + offset
    field.storeBytes(of: UInt32(truncatingIfNeeded: name.count), as: UInt32.self)
    field.storeBytes(of: UInt32(truncatingIfNeeded: value.count), toByteOffset: 4, as: UInt32.self)
    let text = field + Self.headBytes
    cnghttp2_copy(text, name.baseAddress, name.count)
    cnghttp2_copy(text + name.count, value.baseAddress, value.count)
  }

  func copy(_ other: HeaderMemory, _ count: Int) {
    cnghttp2_copy(start, other.start, count)
  }

  /// The field at an offset; its bytes live as long as this memory.
  func field(
    at offset: Int
  ) -> (name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
    let field = UnsafeRawPointer(start + offset)
    let nameCount = Int(field.loadUnaligned(as: UInt32.self))
    let valueCount = Int(field.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    let text = (field + Self.headBytes).assumingMemoryBound(to: UInt8.self)
    return (
      UnsafeBufferPointer(start: text, count: nameCount),
      UnsafeBufferPointer(start: text + nameCount, count: valueCount)
    )
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether these are the bytes of `text`.
  package func equals(_ text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount && cnghttp2_equal(baseAddress, text.utf8Start, count)
  }

  /// Whether these are the bytes of `other`.
  package func equals(_ other: [UInt8]) -> Bool {
    count == other.count
      && other.withUnsafeBufferPointer {
        cnghttp2_equal(baseAddress, $0.baseAddress, count)
      }
  }
}
