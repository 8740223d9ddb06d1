internal import CSockets

/// A failure of a socket or of TLS.
package enum NetError: Error, Sendable, CustomStringConvertible {
  /// A system call failed; `message` is the system's text.
  case system(call: String, message: String)
  /// TLS failed; `reason` is OpenSSL's text or that of the certificate check.
  case tls(reason: String)
  /// A TLS peer changes its keys more often than ``TLSSession/maxKeyUpdates`` allows.
  case tooManyKeyUpdates
  /// A certificate, key or CA file cannot be used.
  case credentials(file: String, reason: String)
  /// The other side took too long: to connect, to shake hands, or to take our bytes.
  case timeout(String)
  /// The address text cannot be read.
  case badAddress(String)
  /// No address of the peer could be reached; the last failure.
  case unreachable(String)

  package var description: String {
    switch self {
    case .system(let call, let message): "\(call): \(message)"
    case .tls(let reason): "TLS: \(reason)"
    case .tooManyKeyUpdates: "TLS: too many key updates"
    case .credentials(let file, let reason): "cannot use \(file): \(reason)"
    case .timeout(let what): "timeout: \(what)"
    case .badAddress(let text): "not an address: '\(text)' (host:port or unix:/path)"
    case .unreachable(let reason): "unreachable: \(reason)"
    }
  }

  /// The system's text for `-errno`.
  static func system(_ call: String, _ code: Int) -> NetError {
    var text = [CChar](repeating: 0, count: 128)
    csockets_describe(Int32(truncatingIfNeeded: code), &text, text.count)
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return .system(call: call, message: String(decoding: bytes, as: UTF8.self))
  }
}
