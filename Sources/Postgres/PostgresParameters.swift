/// The values bound to one statement, encoded for the wire.
///
/// All bytes lie in one buffer, each value followed by a NUL, which libpq wants after text.
package struct PostgresParameters: Sendable {
  struct Entry: Sendable {
    var type: PostgresType
    /// 0 text, 1 binary.
    var format: Int32
    /// Start in `bytes`; -1 is NULL.
    var offset: Int
    var count: Int32
  }

  private(set) var bytes: [UInt8] = []
  private(set) var entries: [Entry] = []
  /// Whether a text held a NUL, which PostgreSQL cannot store and libpq would cut silently.
  private(set) var containsNUL = false

  init() {}

  mutating func reserve(entries count: Int) {
    entries.reserveCapacity(count)
    bytes.reserveCapacity(count * 17)
  }

  mutating func appendNull(_ type: PostgresType) {
    entries.append(Entry(type: type, format: 1, offset: -1, count: 0))
  }

  /// Adds a value in PostgreSQL's binary format, written by `write`.
  mutating func appendBinary(_ type: PostgresType, _ write: (inout PostgresBytes) -> Void) {
    let start = bytes.count
    var buffer = PostgresBytes(taking: &bytes)
    write(&buffer)
    bytes = buffer.bytes
    entries.append(
      Entry(type: type, format: 1, offset: start, count: Int32(bytes.count - start))
    )
    bytes.append(0)
  }

  /// Adds a value in PostgreSQL's text format.
  mutating func appendText(_ type: PostgresType, _ text: String) {
    let start = bytes.count
    bytes.append(contentsOf: text.utf8)
    if bytes[start...].contains(0) { containsNUL = true }
    entries.append(
      Entry(type: type, format: 0, offset: start, count: Int32(bytes.count - start))
    )
    bytes.append(0)
  }
}

/// Bytes of one value under construction, in network order.
package struct PostgresBytes {
  fileprivate(set) var bytes: [UInt8]

  /// Takes the storage out of `bytes`, so that appending does not copy it.
  fileprivate init(taking bytes: inout [UInt8]) {
    self.bytes = []
    swap(&self.bytes, &bytes)
  }

  /// Adds an integer in network order.
  package mutating func append<Value: FixedWidthInteger>(_ value: Value) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// Adds bytes as they are.
  package mutating func append(contentsOf more: some Sequence<UInt8>) {
    bytes.append(contentsOf: more)
  }

  /// Adds an array element: its length, then its bytes.
  mutating func appendSized(_ write: (inout PostgresBytes) -> Void) {
    let position = bytes.count
    append(Int32(0))
    write(&self)
    let count = Int32(bytes.count - position - 4)
    withUnsafeBytes(of: count.bigEndian) { source in
      for index in 0..<4 { bytes[position + index] = source[index] }
    }
  }
}

extension PostgresParameters {
  /// Calls `body` with the arrays that libpq wants; they are valid only inside.
  func withPointers<Result>(
    _ body: (
      _ count: Int32,
      _ values: UnsafePointer<UnsafePointer<CChar>?>?,
      _ lengths: UnsafePointer<Int32>?,
      _ formats: UnsafePointer<Int32>?
    ) -> Result
  ) -> Result {
    let count = entries.count
    guard count > 0 else { return body(0, nil, nil, nil) }
    return withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) {
      values in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: count * 2) { numbers in
        bytes.withUnsafeBytes { buffer in
          let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
          for (index, entry) in entries.enumerated() {
            let value = entry.offset < 0 ? nil : base.map { UnsafePointer($0 + entry.offset) }
            values.initializeElement(at: index, to: value)
            numbers.initializeElement(at: index, to: entry.count)
            numbers.initializeElement(at: count + index, to: entry.format)
          }
          let lengths = numbers.baseAddress.map { UnsafePointer($0) }
          return body(
            Int32(count),
            values.baseAddress.map { UnsafePointer($0) },
            lengths,
            lengths.map { $0 + count }
          )
        }
      }
    }
  }
}
