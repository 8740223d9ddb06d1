#if canImport(FoundationEssentials)
  package import FoundationEssentials
#else
  package import Foundation
#endif

/// A value that can be bound to a statement.
package protocol PostgresEncodable: Sendable {
  /// The type that the statement is prepared with.
  static var postgresType: PostgresType { get }

  /// Adds this value to the statement's parameters.
  func encode(into parameters: inout PostgresParameters)
}

/// A value with PostgreSQL's binary format; it may be an element of an array.
package protocol PostgresBinaryEncodable: PostgresEncodable {
  /// Writes the binary format without a length.
  func encode(into bytes: inout PostgresBytes)
}

extension PostgresBinaryEncodable {
  package func encode(into parameters: inout PostgresParameters) {
    parameters.appendBinary(Self.postgresType) { encode(into: &$0) }
  }
}

extension Bool: PostgresBinaryEncodable {
  package static var postgresType: PostgresType { .bool }
  package func encode(into bytes: inout PostgresBytes) { bytes.append(UInt8(self ? 1 : 0)) }
}

extension Int16: PostgresBinaryEncodable {
  package static var postgresType: PostgresType { .int2 }
  package func encode(into bytes: inout PostgresBytes) { bytes.append(self) }
}

extension Int32: PostgresBinaryEncodable {
  package static var postgresType: PostgresType { .int4 }
  package func encode(into bytes: inout PostgresBytes) { bytes.append(self) }
}

extension Int64: PostgresBinaryEncodable {
  package static var postgresType: PostgresType { .int8 }
  package func encode(into bytes: inout PostgresBytes) { bytes.append(self) }
}

extension Int: PostgresBinaryEncodable {
  package static var postgresType: PostgresType { .int8 }
  package func encode(into bytes: inout PostgresBytes) { bytes.append(Int64(self)) }
}

extension Double: PostgresBinaryEncodable {
  package static var postgresType: PostgresType { .float8 }
  package func encode(into bytes: inout PostgresBytes) { bytes.append(bitPattern) }
}

extension UUID: PostgresBinaryEncodable {
  package static var postgresType: PostgresType { .uuid }
  package func encode(into bytes: inout PostgresBytes) {
    withUnsafeBytes(of: uuid) { bytes.append(contentsOf: $0) }
  }
}

extension Date: PostgresBinaryEncodable {
  package static var postgresType: PostgresType { .timestamptz }
  /// Rounds to whole microseconds; instants beyond PostgreSQL's range become ±infinity.
  package func encode(into bytes: inout PostgresBytes) {
    bytes.append(PostgresTime.microseconds(self))
  }
}

extension String: PostgresEncodable {
  package static var postgresType: PostgresType { .inferred }
  package func encode(into parameters: inout PostgresParameters) {
    parameters.appendText(.inferred, self)
  }
}

/// A JSON document as text, bound as `jsonb` and read from `json` or `jsonb`.
package struct JSONText: Sendable, Hashable, PostgresEncodable {
  /// The document; the server refuses text that is not JSON.
  package var text: String
  package init(_ text: String) { self.text = text }

  package static var postgresType: PostgresType { .jsonb }
  package func encode(into parameters: inout PostgresParameters) {
    parameters.appendText(.jsonb, text)
  }
}

/// An exact decimal number as text, such as `-12.50`.
package struct NumericText: Sendable, Hashable, PostgresEncodable {
  /// Digits with optional sign and point; `NaN` and `Infinity` as PostgreSQL prints them.
  package var text: String
  package init(_ text: String) { self.text = text }

  package static var postgresType: PostgresType { .numeric }
  package func encode(into parameters: inout PostgresParameters) {
    parameters.appendText(.numeric, text)
  }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
  package static var postgresType: PostgresType { Wrapped.postgresType }
  package func encode(into parameters: inout PostgresParameters) {
    switch self {
    case .some(let value): value.encode(into: &parameters)
    case .none: parameters.appendNull(Wrapped.postgresType)
    }
  }
}

extension RawRepresentable where Self: PostgresEncodable, RawValue: PostgresEncodable {
  package static var postgresType: PostgresType { RawValue.postgresType }
  package func encode(into parameters: inout PostgresParameters) {
    rawValue.encode(into: &parameters)
  }
}

/// The time scale of PostgreSQL: microseconds since 2000-01-01 00:00 UTC.
enum PostgresTime {
  /// Seconds from 2000-01-01 to Foundation's reference date 2001-01-01 (2000 was a leap year).
  static let referenceOffset = 31_622_400.0

  static func microseconds(_ date: Date) -> Int64 {
    let value = ((date.timeIntervalSinceReferenceDate + referenceOffset) * 1_000_000).rounded()
    if let exact = Int64(exactly: value) { return exact }
    return value < 0 ? .min : .max
  }

  static func date(microseconds: Int64) -> Date {
    let seconds = Double(microseconds / 1_000_000)
    let rest = Double(microseconds % 1_000_000) / 1_000_000
    return Date(timeIntervalSinceReferenceDate: seconds - referenceOffset + rest)
  }
}
