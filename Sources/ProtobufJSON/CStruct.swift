/// Reads and writes of a protobuf-c struct by offset.
///
/// The layouts are those that ``FieldInfo`` documents: scalars as they are, bool as a C `int`,
/// strings and bytes as length and pointer, messages as pointers, lists as count and pointer.
extension UnsafeMutableRawPointer {
  /// Writes strings or bytes; the bytes must outlive the packing.
  func storeBytes(_ bytes: UnsafeBufferPointer<UInt8>) {
    storeBytes(of: bytes.count, as: Int.self)
    storeBytes(of: UnsafeRawPointer(bytes.baseAddress), toByteOffset: 8, as: UnsafeRawPointer?.self)
  }
}

extension UnsafeRawPointer {
  /// Reads strings or bytes.
  func loadBytes() -> UnsafeBufferPointer<UInt8> {
    let count = load(as: Int.self)
    let data = load(fromByteOffset: 8, as: UnsafePointer<UInt8>?.self)
    return UnsafeBufferPointer(start: count > 0 ? data : nil, count: data == nil ? 0 : count)
  }

  /// Reads a pointer: a message, or the elements of a list.
  func loadPointer() -> UnsafeRawPointer? { load(as: UnsafeRawPointer?.self) }
}

extension FieldPlan {
  /// Notes in the message that a singular field is set, where the message keeps a note of it.
  func markSet(in message: UnsafeMutableRawPointer) {
    guard quantifierOffset >= 0 else { return }
    message.storeBytes(
      of: UInt32(info.number),
      toByteOffset: quantifierOffset,
      as: UInt32.self
    )
  }

  /// Whether a singular field has a value; without a note of it, whether that is not the default.
  func isSet(in message: UnsafeMutableRawPointer) -> Bool {
    if quantifierOffset >= 0 {
      return message.load(fromByteOffset: quantifierOffset, as: UInt32.self) == UInt32(info.number)
    }
    let value = UnsafeRawPointer(message + offset)
    switch storage {
    case .string, .bytes: return !value.loadBytes().isEmpty
    case .message: return value.loadPointer() != nil
    default: return value.bytes(storage.stride).contains { $0 != 0 }
    }
  }

  /// Whether two values of a singular field are the same; messages never count as such.
  func isEqual(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer) -> Bool {
    switch storage {
    case .string, .bytes: one.loadBytes().elementsEqual(other.loadBytes())
    case .message: false
    default: one.bytes(storage.stride).elementsEqual(other.bytes(storage.stride))
    }
  }
}

extension UnsafeRawPointer {
  fileprivate func bytes(_ count: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: self, count: count)
  }
}
