internal import CProtobufC

extension Arena {
  /// A fresh C struct of a message, every field not set.
  package func allocateMessage(_ info: MessageInfo) -> UnsafeMutableRawPointer {
    let message = allocate(bytes: info.cSize)
    // The lowered schema has no default but zero, so this is what the C initialiser does.
    message.initializeMemory(as: UInt8.self, repeating: 0, count: info.cSize)
    message.storeBytes(of: info.descriptorAddress, as: UnsafeRawPointer.self)
    return message
  }

  /// A copy of a string's UTF-8; nil and 0 when it is empty.
  package func copy(_ string: String) -> (UnsafeMutablePointer<UInt8>?, Int) {
    var string = string
    return string.withUTF8 { copy($0) }
  }

  /// A copy of bytes; nil and 0 when there are none.
  package func copy(_ bytes: [UInt8]) -> (UnsafeMutablePointer<UInt8>?, Int) {
    bytes.withUnsafeBufferPointer { copy($0) }
  }

  func copy(_ source: UnsafeBufferPointer<UInt8>) -> (UnsafeMutablePointer<UInt8>?, Int) {
    guard let from = source.baseAddress, source.count > 0 else { return (nil, 0) }
    let copy = allocate(bytes: source.count)
    copy.copyMemory(from: from, byteCount: source.count)
    return (copy.assumingMemoryBound(to: UInt8.self), source.count)
  }

  /// Packs a C struct into an array, behind `prefix` zero bytes.
  package func pack(_ cMessage: UnsafeRawPointer, reserving prefix: Int) -> [UInt8] {
    let message = cMessage.assumingMemoryBound(to: ProtobufCMessage.self)
    let size = protobuf_c_message_get_packed_size(message)
    return [UInt8](unsafeUninitializedCapacity: prefix + size) { buffer, count in
      guard let start = buffer.baseAddress else { return }
      start.initialize(repeating: 0, count: prefix)
      let written = protobuf_c_message_pack(message, start + prefix)
      count = prefix + written
    }
  }
}

/// A string of a C struct; the guard scan has checked its UTF-8.
package func decodedString(_ data: UnsafeMutablePointer<UInt8>?, _ length: Int) -> String {
  guard let data, length > 0 else { return "" }
  return String(decoding: UnsafeBufferPointer(start: data, count: length), as: UTF8.self)
}

/// Bytes of a C struct.
package func decodedBytes(_ data: UnsafeMutablePointer<UInt8>?, _ length: Int) -> [UInt8] {
  guard let data, length > 0 else { return [] }
  return [UInt8](UnsafeBufferPointer(start: data, count: length))
}
