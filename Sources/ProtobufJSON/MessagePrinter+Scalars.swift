internal import JSON

extension MessagePrinter {
  /// Prints one value at `place`, which is a field or an element of a list.
  mutating func printValue(
    at place: UnsafeRawPointer,
    _ field: FieldPlan
  ) throws(TranscodingError) {
    switch field.storage {
    case .string: writer.string(utf8: place.loadBytes())
    case .message:
      guard let child = place.loadPointer() else { return writer.null() }
      try print(child, schema.child(of: field))
    case .int32: writer.int(Int64(place.load(as: Int32.self)))
    case .int64: printLong(place.load(as: Int64.self))
    case .bool: writer.bool(place.load(as: Int32.self) != 0)
    case .enumeration: printEnum(place.load(as: Int32.self), field)
    case .double: printDouble(place.load(as: Double.self))
    case .float: printFloat(place.load(as: Float.self))
    case .uint32: writer.uint(UInt64(place.load(as: UInt32.self)))
    case .uint64: printLong(place.load(as: UInt64.self))
    case .bytes: printBytes(place.loadBytes())
    }
  }

  /// Whether a scalar has its default value, which the standard mapping leaves out.
  func isDefault(_ place: UnsafeRawPointer, _ storage: FieldPlan.Storage) -> Bool {
    switch storage {
    case .string, .bytes: place.load(as: Int.self) == 0
    // By bit pattern: -0.0 is not the default.
    case .double, .int64, .uint64, .message: place.load(as: UInt64.self) == 0
    case .float, .int32, .uint32, .bool, .enumeration: place.load(as: UInt32.self) == 0
    }
  }

  private mutating func printLong<I: FixedWidthInteger>(_ value: I) {
    let magnitude = UInt64(value.magnitude)
    guard style == .proto else {
      if value < 0 { return writer.int(Int64(value)) }
      return writer.uint(magnitude)
    }
    quoted { $0.digits(of: magnitude, negative: value < 0) }
  }

  private mutating func quoted(_ body: (inout JSONWriter) -> Void) {
    writer.separate()
    writer.bytes.append(UInt8(ascii: "\""))
    body(&writer)
    writer.bytes.append(UInt8(ascii: "\""))
  }

  private mutating func printEnum(_ number: Int32, _ field: FieldPlan) {
    guard let plan = field.enumeration, plan.fullName != "google.protobuf.NullValue" else {
      return writer.null()
    }
    if let name = plan.name(of: number, style) {
      writer.raw(name)
    } else {
      writer.int(Int64(number))
    }
  }

  mutating func printDouble(_ value: Double) {
    if value.isFinite {
      writer.double(value)
    } else {
      writer.string(value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity")
    }
  }

  private mutating func printFloat(_ value: Float) {
    if value.isFinite {
      writer.float(value)
    } else {
      printDouble(Double(value))
    }
  }

  private mutating func printBytes(_ bytes: UnsafeBufferPointer<UInt8>) {
    quoted { Base64.append(bytes, to: &$0.bytes) }
  }
}
