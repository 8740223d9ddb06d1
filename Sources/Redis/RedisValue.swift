/// An answer of Redis.
package enum RedisValue: Sendable, Hashable {
  /// Nothing: a missing key, an empty transaction.
  case null
  case integer(Int)
  /// A short fixed answer such as `OK`.
  case status(String)
  case bytes([UInt8])
  case array([RedisValue])
  /// An error inside an array; an error as the whole answer is thrown.
  case error(String)

  /// Whether there is nothing.
  package var isNull: Bool { self == .null }

  /// The number, also one that was stored as text.
  package var integer: Int? {
    switch self {
    case .integer(let value): value
    case .bytes, .status: text.flatMap { Int($0) }
    case .null, .array, .error: nil
    }
  }

  /// The text of bytes or a status; invalid UTF-8 is repaired.
  package var text: String? {
    switch self {
    case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
    case .status(let text): text
    case .null, .integer, .array, .error: nil
    }
  }

  /// The bytes of a string.
  package var bytes: [UInt8]? {
    switch self {
    case .bytes(let bytes): bytes
    case .status(let text): Array(text.utf8)
    case .null, .integer, .array, .error: nil
    }
  }

  /// The members of an array.
  package var array: [RedisValue]? {
    if case .array(let values) = self { values } else { nil }
  }

  /// The numbers of an array; empty when it is no array or holds anything else.
  package var integers: [Int] {
    guard let array else { return [] }
    var numbers: [Int] = []
    numbers.reserveCapacity(array.count)
    for value in array {
      guard let number = value.integer else { return [] }
      numbers.append(number)
    }
    return numbers
  }
}
