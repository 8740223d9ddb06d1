/// A failure of an HTTP/2 connection.
package enum HTTP2Error: Error, Sendable, CustomStringConvertible {
  /// A libnghttp2 call failed; `message` is the library's text.
  case library(call: String, message: String)
  /// The peer broke a limit; the connection is ended.
  case abuse(AbuseKind)
  /// The session takes no new streams: it was told to go away or has used up its ids.
  case closing

  package var description: String {
    switch self {
    case .library(let call, let message): "\(call): \(message)"
    case .abuse(let kind): "peer exceeded the limit of \(kind.rawValue)"
    case .closing: "the connection is closing"
    }
  }
}

/// HTTP/2 error codes (RFC 9113 §7).
package enum HTTP2ErrorCode: UInt32, Sendable {
  case noError = 0x0
  case protocolError = 0x1
  case internalError = 0x2
  case flowControlError = 0x3
  case settingsTimeout = 0x4
  case streamClosed = 0x5
  case frameSizeError = 0x6
  case refusedStream = 0x7
  case cancel = 0x8
  case compressionError = 0x9
  case connectError = 0xa
  case enhanceYourCalm = 0xb
  case inadequateSecurity = 0xc
  case http11Required = 0xd
}
