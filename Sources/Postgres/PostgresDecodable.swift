#if canImport(FoundationEssentials)
  package import FoundationEssentials
#else
  package import Foundation
#endif

/// Why one cell is not the Swift value that was asked for.
package enum PostgresDecodingFailure: Error, Sendable {
  /// NULL where the Swift type is not optional.
  case unexpectedNull
  /// The column has another type.
  case typeMismatch
  /// The number or the instant does not fit the Swift type.
  case outOfRange
  /// The bytes are not what the type promises.
  case malformed
}

/// One value of a result, in binary format.
///
/// Valid only inside `decode`.
package struct PostgresCell {
  /// The bytes, or nil for NULL.
  package let bytes: UnsafeRawBufferPointer?
  /// The type of the column, or of the array's elements.
  package let type: PostgresType

  /// The bytes of a value that must not be NULL.
  package func requireBytes() throws(PostgresDecodingFailure) -> UnsafeRawBufferPointer {
    guard let bytes else { throw .unexpectedNull }
    return bytes
  }

  func requireBytes(
    of wanted: PostgresType
  ) throws(PostgresDecodingFailure) -> UnsafeRawBufferPointer {
    let bytes = try requireBytes()
    guard type == wanted else { throw .typeMismatch }
    return bytes
  }

  /// The integer of an `int2`, `int4`, `int8` or `oid` column.
  func integer() throws(PostgresDecodingFailure) -> Int64 {
    var reader = PostgresReader(try requireBytes())
    switch type {
    case .int8: return try reader.read(Int64.self)
    case .int4: return Int64(try reader.read(Int32.self))
    case .int2: return Int64(try reader.read(Int16.self))
    case .oid: return Int64(try reader.read(UInt32.self))
    default: throw .typeMismatch
    }
  }

  func integer<Value: FixedWidthInteger>(
    as type: Value.Type
  ) throws(PostgresDecodingFailure) -> Value {
    guard let value = Value(exactly: try integer()) else { throw .outOfRange }
    return value
  }
}

/// A value that a column can be read as.
package protocol PostgresDecodable: Sendable {
  /// Reads the value; the cell's bytes must be copied.
  static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Self
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Self {
    cell.bytes == nil ? nil : try Wrapped.decode(cell)
  }
}

extension Bool: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Bool {
    guard let byte = try cell.requireBytes(of: .bool).first else { throw .malformed }
    return byte != 0
  }
}

extension Int16: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Int16 {
    try cell.integer(as: Int16.self)
  }
}

extension Int32: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Int32 {
    try cell.integer(as: Int32.self)
  }
}

extension Int64: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Int64 {
    try cell.integer()
  }
}

extension Int: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Int {
    try cell.integer(as: Int.self)
  }
}

extension Double: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Double {
    var reader = PostgresReader(try cell.requireBytes())
    switch cell.type {
    case .float8: return Double(bitPattern: try reader.read(UInt64.self))
    case .float4: return Double(Float(bitPattern: try reader.read(UInt32.self)))
    default: throw .typeMismatch
    }
  }
}

extension String: PostgresDecodable {
  /// Text of any character type, enum or domain; also `json`, `jsonb`, `numeric` and `uuid` as text.
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> String {
    let bytes = try cell.requireBytes()
    switch cell.type {
    case .jsonb: return try JSONText.decode(cell).text
    case .numeric: return try NumericText.decode(cell).text
    case .uuid: return try UUID.decode(cell).uuidString.lowercased()
    case .bool, .bytea, .int2, .int4, .int8, .oid, .float4, .float8, .date, .timestamp,
      .timestamptz, .textArray, .int4Array, .int8Array, .uuidArray:
      throw .typeMismatch
    default: return String(decoding: bytes, as: UTF8.self)
    }
  }
}

extension JSONText: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> JSONText {
    let bytes = try cell.requireBytes()
    switch cell.type {
    case .json: return JSONText(String(decoding: bytes, as: UTF8.self))
    case .jsonb:
      // The binary format is a version byte, always 1, and the text.
      guard bytes.first == 1 else { throw .malformed }
      return JSONText(String(decoding: bytes.dropFirst(), as: UTF8.self))
    default: throw .typeMismatch
    }
  }
}

extension UUID: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> UUID {
    let bytes = try cell.requireBytes(of: .uuid)
    guard bytes.count == 16 else { throw .malformed }
    return UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
  }
}

extension Date: PostgresDecodable {
  /// An instant; `timestamp` without zone is taken as UTC, `date` as its midnight in UTC.
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Date {
    var reader = PostgresReader(try cell.requireBytes())
    switch cell.type {
    case .timestamptz, .timestamp:
      let value = try reader.read(Int64.self)
      guard value != .min, value != .max else { throw .outOfRange }
      return PostgresTime.date(microseconds: value)
    case .date:
      let days = try reader.read(Int32.self)
      guard days != .min, days != .max else { throw .outOfRange }
      return Date(
        timeIntervalSinceReferenceDate: Double(days) * 86_400 - PostgresTime.referenceOffset
      )
    default: throw .typeMismatch
    }
  }
}

extension RawRepresentable where Self: PostgresDecodable, RawValue: PostgresDecodable {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> Self {
    guard let value = Self(rawValue: try RawValue.decode(cell)) else { throw .outOfRange }
    return value
  }
}

/// Reads integers in network order and slices, never beyond the end.
struct PostgresReader {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var remaining: Int { bytes.count - position }

  mutating func read<Value: FixedWidthInteger>(
    _ type: Value.Type
  ) throws(PostgresDecodingFailure) -> Value {
    let size = MemoryLayout<Value>.size
    guard remaining >= size else { throw .malformed }
    defer { position += size }
    return Value(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
  }

  mutating func take(_ count: Int) throws(PostgresDecodingFailure) -> UnsafeRawBufferPointer {
    guard count >= 0, remaining >= count else { throw .malformed }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }
}
