/// Why bytes from outside are not a message.
package enum ProtobufError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The bytes end inside a value.
  case truncated
  /// A varint of more than ten bytes, a length beyond the end, or a tag that cannot be.
  case malformed
  /// A `string` field holds bytes that are not UTF-8.
  case invalidUTF8(field: Int32)
  /// Messages or groups nest deeper than ``ProtobufLimits/depth``.
  case tooDeep
  /// More bytes than ``ProtobufLimits/messageBytes``, or more memory than such bytes may claim.
  case tooLarge

  package var description: String {
    switch self {
    case .truncated: "protobuf: the message is cut off"
    case .malformed: "protobuf: the message is malformed"
    case .invalidUTF8(let field): "protobuf: field \(field) is not valid UTF-8"
    case .tooDeep: "protobuf: the message nests too deep"
    case .tooLarge: "protobuf: the message is too large"
    }
  }
}

/// What one message from outside may use.
package enum ProtobufLimits {
  /// Levels of nested messages and groups, the outermost included.
  package static let depth = 100
  /// Bytes of one encoded message.
  package static let messageBytes = 64 << 20

  /// Memory that unpacking `count` bytes may take.
  ///
  /// A two-byte empty message becomes a C struct of some hundred bytes, so the claim is bounded by
  /// the input rather than by the input's good will.
  package static func arenaBytes(forMessageOf count: Int) -> Int { (1 << 20) + 32 * count }
}
