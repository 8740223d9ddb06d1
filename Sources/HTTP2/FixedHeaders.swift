internal import CNghttp2

/// Header fields that never change, in the library's own form, which takes them without a copy.
///
/// Made once for the whole process: the memory is never given back, since frames that wait to be sent
/// point into it.
// @unchecked: nothing changes after `init`.
package struct FixedHeaders: @unchecked Sendable {
  let native: UnsafeBufferPointer<nghttp2_nv>

  /// Copies `block`.
  package init(_ block: HeaderBlock) {
    let native = UnsafeMutableBufferPointer<nghttp2_nv>.allocate(capacity: block.count)
    var index = 0
    block.forEach { name, value in
      let (name, value) = (Self.keep(name), Self.keep(value))
      native.initializeElement(
        at: index,
        to: cnghttp2_fixed_field(name.baseAddress, name.count, value.baseAddress, value.count)
      )
      index += 1
    }
    self.native = UnsafeBufferPointer(native)
  }

  private static func keep(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    // The library wants an address even for nothing.
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count + 1)
    _ = copy.update(fromContentsOf: bytes)
    return UnsafeBufferPointer(rebasing: copy[..<bytes.count])
  }
}

/// How a body ends.
enum OutboundTrailers {
  /// With its last byte.
  case none
  case fixed(FixedHeaders)
  case block(HeaderBlock)
}
