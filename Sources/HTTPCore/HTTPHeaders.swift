/// Header fields in the order they came, found by name without regard to case.
///
/// All names and values lie in one byte array, so that a parsed head costs two allocations
/// whatever it holds. Names are kept in lower case, as HTTP/2 and gRPC metadata want them.
package struct HTTPHeaders: Sendable {
  private struct Entry: Sendable {
    var nameStart: UInt32
    var nameCount: UInt32
    var valueStart: UInt32
    var valueCount: UInt32

    var name: Range<Int> { Int(nameStart)..<Int(nameStart) + Int(nameCount) }
    var value: Range<Int> { Int(valueStart)..<Int(valueStart) + Int(valueCount) }
  }

  private var bytes: [UInt8] = []
  private var entries: [Entry] = []

  /// Makes an empty list.
  package init() {}

  /// Makes an empty list with room for `count` fields of `byteCount` bytes together.
  package init(reserving count: Int, byteCount: Int) {
    entries.reserveCapacity(count)
    bytes.reserveCapacity(byteCount)
  }

  /// Takes a head block as it is; fields are added as ranges of it by ``append(nameAt:valueAt:)``.
  package init(adopting block: UnsafeRawBufferPointer, reserving count: Int) {
    bytes = Array(block)
    entries.reserveCapacity(count)
  }

  /// Number of fields.
  package var count: Int { entries.count }

  /// True without any field.
  package var isEmpty: Bool { entries.isEmpty }

  /// Adds a field at the end, beside those of the same name.
  package mutating func append(_ name: String, _ value: String) {
    var (name, value) = (name, value)
    name.withUTF8 { name in
      value.withUTF8 { value in
        append(name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value))
      }
    }
  }

  /// Adds a field given as bytes at the end.
  package mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    let start = bytes.count
    bytes.append(contentsOf: name)
    bytes.append(contentsOf: value)
    addEntry(
      name: start..<start + name.count,
      value: start + name.count..<start + name.count + value.count
    )
  }

  /// Adds a field that lies in the adopted block; both ranges must be inside it.
  package mutating func append(nameAt name: Range<Int>, valueAt value: Range<Int>) {
    precondition(name.upperBound <= bytes.count && value.upperBound <= bytes.count)
    addEntry(name: name, value: value)
  }

  private mutating func addEntry(name: Range<Int>, value: Range<Int>) {
    for index in name {
      bytes[index] = ASCII.lowercased(bytes[index])
    }
    entries.append(
      Entry(
        nameStart: UInt32(truncatingIfNeeded: name.lowerBound),
        nameCount: UInt32(truncatingIfNeeded: name.count),
        valueStart: UInt32(truncatingIfNeeded: value.lowerBound),
        valueCount: UInt32(truncatingIfNeeded: value.count)
      )
    )
  }

  /// Replaces every field of this name by one at the end.
  package mutating func set(_ name: String, _ value: String) {
    remove(name)
    append(name, value)
  }

  /// Removes every field of this name.
  package mutating func remove(_ name: String) {
    let kept = indices(of: name)
    guard !kept.isEmpty else { return }
    for index in kept.reversed() {
      entries.remove(at: index)
    }
  }

  /// The value of the first field of this name.
  package subscript(_ name: String) -> String? {
    firstIndex(of: name).map { string(entries[$0].value) }
  }

  /// The bytes of the first field of this name, without a copy.
  package func valueBytes(_ name: String) -> ArraySlice<UInt8>? {
    firstIndex(of: name).map { bytes[entries[$0].value] }
  }

  /// The values of all fields of this name, in order.
  package func values(_ name: String) -> [String] {
    indices(of: name).map { string(entries[$0].value) }
  }

  /// True if there is a field of this name.
  package func contains(_ name: String) -> Bool {
    firstIndex(of: name) != nil
  }

  /// How many fields have this name.
  package func count(of name: String) -> Int {
    indices(of: name).count
  }

  /// Calls `body` with the bytes of each field; the pointers are valid only inside the call.
  package func forEachField(
    _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
  ) {
    bytes.withUnsafeBytes { all in
      for entry in entries {
        body(
          UnsafeRawBufferPointer(rebasing: all[entry.name]),
          UnsafeRawBufferPointer(rebasing: all[entry.value])
        )
      }
    }
  }

  private func string(_ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self)
  }

  private func firstIndex(of name: String) -> Int? {
    var name = name
    return name.withUTF8 { wanted in
      bytes.withUnsafeBufferPointer { all in
        entries.firstIndex { Self.matches(wanted, all, $0) }
      }
    }
  }

  private func indices(of name: String) -> [Int] {
    var name = name
    return name.withUTF8 { wanted in
      bytes.withUnsafeBufferPointer { all in
        entries.indices.filter { Self.matches(wanted, all, entries[$0]) }
      }
    }
  }

  private static func matches(
    _ wanted: UnsafeBufferPointer<UInt8>,
    _ all: UnsafeBufferPointer<UInt8>,
    _ entry: Entry
  ) -> Bool {
    guard wanted.count == Int(entry.nameCount) else { return false }
    let start = Int(entry.nameStart)
    for index in 0..<wanted.count where ASCII.lowercased(wanted[index]) != all[start + index] {
      return false
    }
    return true
  }
}

/// One header field as text.
package struct HTTPField: Sendable, Hashable {
  /// The name in lower case.
  package let name: String
  /// The value; bytes that are not UTF-8 appear as U+FFFD.
  package let value: String
}

extension HTTPHeaders: Sequence {
  /// Goes through the fields as text; use ``forEachField(_:)`` where it must be fast.
  package func makeIterator() -> some IteratorProtocol<HTTPField> {
    entries.lazy.map { HTTPField(name: string($0.name), value: string($0.value)) }.makeIterator()
  }
}

extension HTTPHeaders: Equatable {
  /// Compares names and values in order.
  package static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool {
    left.count == right.count && left.elementsEqual(right)
  }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
  /// Makes a list of the pairs, in order; a name may come twice.
  package init(dictionaryLiteral elements: (String, String)...) {
    self.init()
    for (name, value) in elements {
      append(name, value)
    }
  }
}
