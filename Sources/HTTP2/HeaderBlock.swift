/// The fields of one header block, in order, in one piece of memory.
///
/// Names are lower case, as HTTP/2 wants them (RFC 9113 §8.2). Pseudo fields (`:path`) are fields like
/// the others.
package struct HeaderBlock: Sendable {
  private struct Field: Sendable {
    var nameStart: Int32
    var valueStart: Int32
    var end: Int32
  }

  private var bytes: [UInt8] = []
  private var fields: [Field] = []

  package init() {}

  /// Number of fields.
  package var count: Int { fields.count }
  /// Whether there is no field.
  package var isEmpty: Bool { fields.isEmpty }
  /// Size as the protocol counts it: name + value + 32 for each field.
  package var listBytes: Int { bytes.count + 32 * fields.count }

  /// Makes room for a typical block with one allocation each.
  package mutating func reserve(fields: Int, bytes: Int) {
    self.fields.reserveCapacity(fields)
    self.bytes.reserveCapacity(bytes)
  }

  /// Adds a field at the end.
  package mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>)
  {
    let start = bytes.count
    bytes.append(contentsOf: name)
    bytes.append(contentsOf: value)
    fields.append(
      Field(
        nameStart: Int32(start),
        valueStart: Int32(start + name.count),
        end: Int32(bytes.count)
      )
    )
  }

  /// Adds a field at the end.
  package mutating func append(_ name: String, _ value: String) {
    var name = name
    var value = value
    name.withUTF8 { name in value.withUTF8 { append(name: name, value: $0) } }
  }

  /// Lends the value of the first field called `name`.
  package func withValue<R>(
    of name: StaticString,
    _ body: (UnsafeBufferPointer<UInt8>) -> R
  ) -> R? {
    bytes.withUnsafeBufferPointer { bytes in
      for field in fields {
        let found = UnsafeBufferPointer(
          rebasing: bytes[Int(field.nameStart)..<Int(field.valueStart)]
        )
        guard found.equals(name) else { continue }
        return body(
          UnsafeBufferPointer(rebasing: bytes[Int(field.valueStart)..<Int(field.end)])
        )
      }
      return nil
    }
  }

  /// The value of the first field called `name`; invalid UTF-8 is replaced.
  package func first(_ name: String) -> String? {
    for index in fields.indices where self.name(at: index) == name { return value(at: index) }
    return nil
  }

  /// The value of the first field called `name`, without making a string of other fields.
  package func value(of name: StaticString) -> String? {
    withValue(of: name) { String(decoding: $0, as: UTF8.self) }
  }

  /// The name of field `index`.
  package func name(at index: Int) -> String {
    String(
      decoding: bytes[Int(fields[index].nameStart)..<Int(fields[index].valueStart)],
      as: UTF8.self
    )
  }

  /// The value of field `index`.
  package func value(at index: Int) -> String {
    String(decoding: bytes[Int(fields[index].valueStart)..<Int(fields[index].end)], as: UTF8.self)
  }

  /// Lends name and value of field `index`.
  package func withField<R>(
    at index: Int,
    _ body: (_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> R
  ) -> R {
    bytes.withUnsafeBufferPointer { bytes in
      let field = fields[index]
      return body(
        UnsafeBufferPointer(rebasing: bytes[Int(field.nameStart)..<Int(field.valueStart)]),
        UnsafeBufferPointer(rebasing: bytes[Int(field.valueStart)..<Int(field.end)])
      )
    }
  }
}

extension HeaderBlock: ExpressibleByDictionaryLiteral {
  package init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { append(name, value) }
  }
}

extension HeaderBlock {
  /// Adds all fields of another block at the end.
  package mutating func append(contentsOf other: HeaderBlock) {
    for index in 0..<other.count {
      other.withField(at: index) { name, value in append(name: name, value: value) }
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether these are the bytes of `text`; quick for what is short, as names of fields are.
  package func equals(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    let text = text.utf8Start
    for index in 0..<count where self[index] != text[index] { return false }
    return true
  }
}
