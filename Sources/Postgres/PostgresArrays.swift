#if canImport(FoundationEssentials)
  package import FoundationEssentials
#else
  package import Foundation
#endif

/// An element of a one-dimensional array.
package protocol PostgresArrayElement: PostgresEncodable, PostgresDecodable {
  /// The array type that a list of these is bound as.
  static var postgresArrayType: PostgresType { get }
  /// The type of one element inside that array.
  static var postgresElementType: PostgresType { get }
  /// Writes one element in binary format, without its length.
  func encodeElement(into bytes: inout PostgresBytes)
}

extension PostgresArrayElement where Self: PostgresBinaryEncodable {
  package static var postgresElementType: PostgresType { postgresType }
  package func encodeElement(into bytes: inout PostgresBytes) { encode(into: &bytes) }
}

extension String: PostgresArrayElement {
  package static var postgresArrayType: PostgresType { .textArray }
  package static var postgresElementType: PostgresType { .text }
  package func encodeElement(into bytes: inout PostgresBytes) { bytes.append(contentsOf: utf8) }
}

extension Int32: PostgresArrayElement {
  package static var postgresArrayType: PostgresType { .int4Array }
}

extension Int64: PostgresArrayElement {
  package static var postgresArrayType: PostgresType { .int8Array }
}

extension Int: PostgresArrayElement {
  package static var postgresArrayType: PostgresType { .int8Array }
}

extension UUID: PostgresArrayElement {
  package static var postgresArrayType: PostgresType { .uuidArray }
}

/// Arrays of text, uuid, int4 and int8 elements; `[UInt8]` is `bytea`.
extension Array: PostgresEncodable where Element: PostgresArrayOrByte {
  package static var postgresType: PostgresType { Element.postgresListType }
  package func encode(into parameters: inout PostgresParameters) {
    parameters.appendBinary(Element.postgresListType) { Element.encodeList(self, into: &$0) }
  }
}

extension Array: PostgresDecodable where Element: PostgresArrayOrByte {
  package static func decode(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> [Element] {
    try Element.decodeList(cell)
  }
}

/// What an `Array` may hold: array elements, or `UInt8` for `bytea`.
///
/// Swift allows one conditional conformance of `Array`; this protocol joins the two cases.
package protocol PostgresArrayOrByte: Sendable {
  static var postgresListType: PostgresType { get }
  static func encodeList(_ list: [Self], into bytes: inout PostgresBytes)
  static func decodeList(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> [Self]
}

extension UInt8: PostgresArrayOrByte {
  package static var postgresListType: PostgresType { .bytea }
  package static func encodeList(_ list: [UInt8], into bytes: inout PostgresBytes) {
    bytes.append(contentsOf: list)
  }
  package static func decodeList(
    _ cell: PostgresCell
  ) throws(PostgresDecodingFailure) -> [UInt8] {
    Array(try cell.requireBytes(of: .bytea))
  }
}

extension String: PostgresArrayOrByte {}
extension Int32: PostgresArrayOrByte {}
extension Int64: PostgresArrayOrByte {}
extension Int: PostgresArrayOrByte {}
extension UUID: PostgresArrayOrByte {}

extension PostgresArrayOrByte where Self: PostgresArrayElement {
  package static var postgresListType: PostgresType { postgresArrayType }

  /// Header (dimensions, has-null flag, element type, length, lower bound), then sized elements.
  package static func encodeList(_ list: [Self], into bytes: inout PostgresBytes) {
    bytes.append(Int32(list.isEmpty ? 0 : 1))
    bytes.append(Int32(0))
    bytes.append(postgresElementType.rawValue)
    guard !list.isEmpty else { return }
    bytes.append(Int32(list.count))
    bytes.append(Int32(1))
    for element in list { bytes.appendSized { element.encodeElement(into: &$0) } }
  }

  package static func decodeList(_ cell: PostgresCell) throws(PostgresDecodingFailure) -> [Self] {
    var reader = PostgresReader(try cell.requireBytes())
    let dimensions = try reader.read(Int32.self)
    _ = try reader.read(Int32.self)
    let type = PostgresType(try reader.read(UInt32.self))
    if dimensions == 0 { return [] }
    guard dimensions == 1 else { throw .typeMismatch }
    let count = try reader.read(Int32.self)
    _ = try reader.read(Int32.self)
    guard count >= 0, Int(count) <= reader.remaining / 4 else { throw .malformed }
    var list: [Self] = []
    list.reserveCapacity(Int(count))
    for _ in 0..<count {
      let size = try reader.read(Int32.self)
      guard size >= 0 else { throw .unexpectedNull }
      list.append(try decode(PostgresCell(bytes: try reader.take(Int(size)), type: type)))
    }
    return list
  }
}
