internal import JSON
internal import Protobuf

/// Reads scalars: from JSON values, and from the texts of map keys and parameters.
enum ScalarReader {
  /// Reads a JSON value to `place`.
  static func read(
    _ value: JSONElement,
    _ field: FieldPlan,
    at place: UnsafeMutableRawPointer,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    switch value.kind {
    case .string:
      guard field.storage != .bool else { throw wrongType(value, field) }
      try read(text: value.utf8, field, at: place, isKey: false, arena)
    case .int64, .uint64, .double:
      try readNumber(value, field, at: place)
    case .true, .false:
      guard field.storage == .bool else { throw wrongType(value, field) }
      place.storeBytes(of: value.kind == .true ? 1 : 0, as: Int32.self)
    case .null:
      guard field.storage == .enumeration else { throw wrongType(value, field) }
      place.storeBytes(of: 0, as: Int32.self)
    default:
      throw wrongType(value, field)
    }
  }

  /// Reads a text to `place`; strings keep pointing at `text`.
  ///
  /// `isKey` says that the text is a map key or a parameter, where booleans and enum numbers are
  /// spelled out as well.
  static func read(
    text: UnsafeBufferPointer<UInt8>,
    _ field: FieldPlan,
    at place: UnsafeMutableRawPointer,
    isKey: Bool,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    switch field.storage {
    case .string: place.storeBytes(text)
    case .bytes: place.storeBytes(try Base64.decode(text, arena))
    case .bool where isKey: place.storeBytes(of: try bool(text) ? 1 : 0, as: Int32.self)
    case .enumeration: place.storeBytes(of: try number(text, field, isKey), as: Int32.self)
    case .double: place.storeBytes(of: try double(text), as: Double.self)
    case .float: place.storeBytes(of: try float(double(text)), as: Float.self)
    case .int64: place.storeBytes(of: try integer(text), as: Int64.self)
    case .uint64: place.storeBytes(of: try integer(text), as: UInt64.self)
    case .int32: place.storeBytes(of: try integer(text), as: Int32.self)
    case .uint32: place.storeBytes(of: try integer(text), as: UInt32.self)
    case .bool, .message:
      throw TranscodingError(.invalidValue, "Expected \(field.storage.noun), found a string.")
    }
  }

  private static func readNumber(
    _ value: JSONElement,
    _ field: FieldPlan,
    at place: UnsafeMutableRawPointer
  ) throws(TranscodingError) {
    switch field.storage {
    case .double: place.storeBytes(of: double(value), as: Double.self)
    case .float: place.storeBytes(of: try float(double(value)), as: Float.self)
    case .int64: place.storeBytes(of: try integer(value), as: Int64.self)
    case .uint64: place.storeBytes(of: try integer(value), as: UInt64.self)
    case .int32: place.storeBytes(of: try integer(value), as: Int32.self)
    case .uint32: place.storeBytes(of: try integer(value), as: UInt32.self)
    // Enums are open: a number that the schema does not declare is kept.
    case .enumeration: place.storeBytes(of: try integer(value), as: Int32.self)
    case .bool, .string, .bytes, .message: throw wrongType(value, field)
    }
  }

  private static func double(_ value: JSONElement) -> Double {
    switch value.kind {
    case .int64: Double(value.int64)
    case .uint64: Double(value.uint64)
    default: value.double
    }
  }

  private static func integer<I: FixedWidthInteger>(
    _ value: JSONElement
  ) throws(TranscodingError) -> I {
    let exact: I? =
      switch value.kind {
      case .int64: I(exactly: value.int64)
      case .uint64: I(exactly: value.uint64)
      // Integers below -2^63 are doubles on the tape, and round to it.
      default: value.double == -0x1p63 ? nil : I(exactly: value.double)
      }
    guard let exact else { throw outOfRange(I.self) }
    return exact
  }

  private static func integer<I: FixedWidthInteger>(
    _ text: UnsafeBufferPointer<UInt8>
  ) throws(TranscodingError) -> I {
    guard let parts = NumberParts(text) else { throw outOfRange(I.self) }
    let string = String(decoding: text, as: UTF8.self)
    let exact = parts.isInteger ? I(string) : Double(string).flatMap { I(exactly: $0) }
    guard let exact else { throw outOfRange(I.self) }
    return exact
  }

  private static func double(_ text: UnsafeBufferPointer<UInt8>) throws(TranscodingError) -> Double
  {
    let string = String(decoding: text, as: UTF8.self)
    switch string {
    case "NaN": return .nan
    case "Infinity": return .infinity
    case "-Infinity": return -.infinity
    default:
      guard NumberParts(text) != nil, let value = Double(string), value.isFinite else {
        throw TranscodingError(.invalidValue, "Expected a number.")
      }
      return value
    }
  }

  private static func float(_ value: Double) throws(TranscodingError) -> Float {
    let narrow = Float(value)
    guard narrow.isFinite || !value.isFinite else {
      throw TranscodingError(.invalidValue, "The number is out of range.")
    }
    return narrow
  }

  private static func bool(_ text: UnsafeBufferPointer<UInt8>) throws(TranscodingError) -> Bool {
    if text.elementsEqual("true".utf8) { return true }
    if text.elementsEqual("false".utf8) { return false }
    throw TranscodingError(.invalidValue, "Expected true or false.")
  }

  private static func number(
    _ text: UnsafeBufferPointer<UInt8>,
    _ field: FieldPlan,
    _ isKey: Bool
  ) throws(TranscodingError) -> Int32 {
    if let number = field.enumeration?.number(of: text) { return number }
    if isKey, NumberParts(text)?.isInteger == true { return try integer(text) }
    throw TranscodingError(.invalidValue, "There is no such value.")
  }

  private static func outOfRange<I: FixedWidthInteger>(_ type: I.Type) -> TranscodingError {
    TranscodingError(.invalidValue, "Expected an integer from \(I.min) to \(I.max).")
  }

  private static func wrongType(_ value: JSONElement, _ field: FieldPlan) -> TranscodingError {
    TranscodingError(
      .invalidValue,
      "Expected \(field.storage.noun), found \(value.kind.noun)."
    )
  }
}

extension FieldPlan.Storage {
  /// What a value is, for an error text.
  var noun: String {
    switch self {
    case .double, .float: "a number"
    case .int64, .uint64, .int32, .uint32: "an integer"
    case .bool: "a boolean"
    case .string: "a string"
    case .bytes: "a base64 string"
    case .enumeration: "a name"
    case .message: "an object"
    }
  }
}
