internal import CZlib

/// Why bytes are not the gzip of a message that we take.
package enum GzipError: Error, Equatable, Sendable {
  /// The content is larger than the limit.
  case tooLarge(limit: Int)
  /// Not gzip, cut off, or altered on the way.
  case corrupt
  /// zlib found no memory.
  case outOfMemory
}

/// gzip (RFC 1952) of whole messages: one message, one member.
package enum Gzip {
  /// zlib's fastest level: on a machine's own network time counts for more than bytes.
  private static let level: Int32 = 1
  /// Header and trailer of a member.
  private static let overhead = 18
  /// The largest ratio that deflate reaches (zlib's technical details).
  private static let maxRatio = 1_032

  /// Compresses `bytes`.
  ///
  /// - Parameters:
  ///   - bytes: The message.
  ///   - prefix: Zero bytes in front of the result, for the caller to fill.
  /// - Returns: Nil when the result would not be smaller than the message.
  /// - Throws: ``GzipError/outOfMemory``.
  package static func compress(
    _ bytes: UnsafeRawBufferPointer,
    reserving prefix: Int
  ) throws(GzipError) -> [UInt8]? {
    guard bytes.count > overhead else { return nil }
    let deflater = try Deflater(level: level)
    let room = bytes.count - 1
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 16)
    defer { scratch.deallocate() }
    guard let count = deflater.finish(bytes, into: scratch) else { return nil }
    return [UInt8](unsafeUninitializedCapacity: prefix + count) { result, used in
      result[..<prefix].initialize(repeating: 0)
      _ = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(result)[prefix...])
        .initializeMemory(as: UInt8.self, from: scratch[..<count])
      used = prefix + count
    }
  }

  /// Inflates one member, which must be all there is.
  ///
  /// Memory is bounded by the size that the member's trailer states, by `limit`, and by what so many
  /// bytes can hold at most; a member with more in it than stated is cut off there.
  ///
  /// - Parameters:
  ///   - bytes: The whole member.
  ///   - limit: Most bytes that the result may have; below 4 GiB.
  /// - Returns: The content.
  /// - Throws: ``GzipError``.
  package static func decompress(
    _ bytes: UnsafeRawBufferPointer,
    limit: Int
  ) throws(GzipError) -> [UInt8] {
    guard bytes.count > overhead else { throw .corrupt }
    // The size modulo 4 GiB (RFC 1952 §2.3.1): whatever is larger than it is over the limit too.
    let stated = bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self)
    let size = Int(UInt32(littleEndian: stated))
    guard size <= limit else { throw .tooLarge(limit: limit) }
    guard size <= bytes.count * maxRatio else { throw .corrupt }
    let inflater = try Inflater()
    var outcome = Inflater.Outcome.corrupt
    // One byte more tells a full result from one that goes on.
    let result = [UInt8](unsafeUninitializedCapacity: size + 1) { target, used in
      outcome = inflater.finish(bytes, into: UnsafeMutableRawBufferPointer(target))
      if case .finished(let count) = outcome { used = count }
    }
    switch outcome {
    case .finished: return result
    case .full: throw .tooLarge(limit: limit)
    case .corrupt: throw .corrupt
    case .outOfMemory: throw .outOfMemory
    }
  }
}
