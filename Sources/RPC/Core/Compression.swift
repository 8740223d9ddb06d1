internal import Gzip

/// How messages of one direction of a call are compressed (`grpc-encoding`).
///
/// Each message is compressed on its own, and says in its frame whether it is. A message that would not
/// become smaller travels as it is.
package enum Compression: String, Sendable, Hashable, CaseIterable {
  case gzip
}

extension Compression {
  /// What we tell peers in `grpc-accept-encoding`.
  static let accepted = "identity,gzip"

  /// The encoding that a `grpc-encoding` field names; nil for none.
  ///
  /// - Throws: ``ServiceError`` `.unimplemented` for one that we do not know.
  init?(header: UnsafeBufferPointer<UInt8>) throws(ServiceError) {
    if header.elementsEqual("identity".utf8) { return nil }
    guard header.elementsEqual("gzip".utf8) else {
      throw .runtime(
        .unimplemented,
        "unknown grpc-encoding \(String(decoding: header, as: UTF8.self)); known: \(Self.accepted)"
      )
    }
    self = .gzip
  }

  /// Whether a `grpc-accept-encoding` list names this encoding.
  func isAccepted(by list: String?) -> Bool {
    guard let list else { return false }
    return list.split(separator: ",").contains { $0.filter { $0 != " " } == rawValue }
  }

  /// Seals a frame, its message compressed where that is asked for and helps.
  static func seal(_ frame: inout [UInt8], with compression: Compression?) {
    guard compression != nil, let packed = compressed(frame) else {
      return RPCFraming.seal(&frame)
    }
    frame = packed
    RPCFraming.seal(&frame, isCompressed: true)
  }

  private static func compressed(_ frame: [UInt8]) -> [UInt8]? {
    frame.withUnsafeBytes { bytes in
      let message = UnsafeRawBufferPointer(rebasing: bytes[RPCFraming.prefixLength...])
      // Without memory for the compressor the message still goes out.
      return (try? Gzip.compress(message, reserving: RPCFraming.prefixLength)) ?? nil
    }
  }
}

extension ReceivedMessage {
  /// The message's own bytes.
  ///
  /// - Parameters:
  ///   - compression: What the peer's `grpc-encoding` names.
  ///   - limit: Most bytes that the message may have when it is inflated.
  /// - Returns: The bytes as they were before the peer compressed them.
  /// - Throws: ``ServiceError`` `.internalError` for bytes that the encoding does not explain,
  ///   `.resourceExhausted` over the limit.
  func plain(_ compression: Compression?, limit: Int) throws(ServiceError) -> [UInt8] {
    guard isCompressed else { return bytes }
    guard compression != nil else {
      throw .runtime(.internalError, "compressed message, but no grpc-encoding was agreed on")
    }
    do throws(GzipError) {
      return try inflated(limit)
    } catch {
      switch error {
      case .tooLarge(let limit):
        throw .runtime(.resourceExhausted, "the message inflates to over \(limit) bytes")
      case .corrupt: throw .runtime(.internalError, "cannot inflate the message: not valid gzip")
      case .outOfMemory: throw .runtime(.resourceExhausted, "no memory to inflate the message")
      }
    }
  }

  private func inflated(_ limit: Int) throws(GzipError) -> [UInt8] {
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(GzipError) in try Gzip.decompress(bytes, limit: limit) }
    }
    return try result.get()
  }
}
