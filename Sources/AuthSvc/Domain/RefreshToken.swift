internal import Crypto
internal import Foundation

/// An opaque token that renews a session, as the client keeps it.
///
/// 256 random bits behind a prefix that secret scanners find. The database keeps its SHA-256 alone:
/// a fast hash is right for a value that cannot be guessed.
struct RefreshToken: Sendable, Hashable {
  static let prefix = "osr_"
  private static let randomBytes = 32
  /// The prefix and 32 bytes in base64url without padding.
  private static let textLength = prefix.utf8.count + 43

  /// What the client sends.
  let text: String

  /// Makes a new token from the system's randomness.
  init() {
    var random = SystemRandomNumberGenerator()
    self.init(using: &random)
  }

  /// Makes a new token.
  init(using random: inout some RandomNumberGenerator) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.randomBytes)
    for _ in 0..<(Self.randomBytes / 8) {
      withUnsafeBytes(of: random.next() as UInt64) { bytes.append(contentsOf: $0) }
    }
    text = Self.prefix + Base64URL.encode(bytes)
  }

  /// Takes what a client sent; nil for anything that cannot be a token.
  init?(_ text: String) {
    guard text.utf8.count == Self.textLength, text.hasPrefix(Self.prefix) else { return nil }
    self.text = text
  }

  /// What the database keeps.
  var hash: [UInt8] {
    Array(SHA256.hash(data: Data(text.utf8)))
  }
}

/// Base64 in the URL alphabet without padding (RFC 4648 §5).
enum Base64URL {
  /// Encodes bytes.
  static func encode(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString()
      .replacingOccurrences(of: "+", with: "-")
      .replacingOccurrences(of: "/", with: "_")
      .replacingOccurrences(of: "=", with: "")
  }
}
