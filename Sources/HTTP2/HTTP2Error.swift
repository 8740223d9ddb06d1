/// A failure of an HTTP/2 connection.
package enum HTTP2Error: Error, Sendable, Equatable, CustomStringConvertible {
  /// A libnghttp2 call failed, the peer being innocent; `message` is the library's text.
  case library(call: String, message: String)
  /// The peer broke a limit; the connection is ended.
  case abuse(AbuseKind)
  /// The peer broke the protocol; the connection is ended.
  case violation(HTTP2Violation)
  /// The peer took too long; the connection is ended.
  case timeout(HTTP2Timeout)
  /// The session takes no new streams: it was told to go away or has used up its ids.
  case closing

  package var description: String {
    switch self {
    case .library(let call, let message): "\(call): \(message)"
    case .abuse(let kind): "peer exceeded the limit of \(kind.rawValue)"
    case .violation(let violation): "peer broke the protocol: \(violation.rawValue)"
    case .timeout(let timeout): "peer took too long: \(timeout.rawValue)"
    case .closing: "the connection is closing"
    }
  }

  /// A word for counters and logs, one of a fixed list.
  package var kind: String {
    switch self {
    case .library: "library"
    case .abuse(let kind): kind.rawValue
    case .violation(let violation): violation.rawValue
    case .timeout(let timeout): timeout.rawValue
    case .closing: "closing"
    }
  }
}

/// How a peer breaks the protocol, as libnghttp2 tells it.
package enum HTTP2Violation: String, Sendable, CaseIterable {
  /// More CONTINUATION frames in one block than the library takes (CVE-2024-28182).
  case continuations
  /// Answers to SETTINGS and PING that the peer does not read.
  case unreadAnswers = "unread_answers"
  case preface = "bad_preface"
  case protocolError = "protocol_error"
  case flowControl = "flow_control_error"
  case frameSize = "frame_size_error"
  case compression = "compression_error"
  case streamClosed = "stream_closed"
  /// A limit of the library's own, such as that on resets of streams that are gone.
  case libraryLimit = "library_limit"
  case other = "other_error"
}

/// What a peer has to do in time.
package enum HTTP2Timeout: String, Sendable, CaseIterable {
  /// Preface and SETTINGS, and where the limits ask for it a first request.
  case preface = "slow_preface"
  /// The rest of a header block.
  case headers = "slow_headers"
  /// An answer to our PING, or any other byte.
  case keepalive = "keepalive_timeout"
  /// Anything at all: no stream has been open for long.
  case idle
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

extension HTTP2Violation {
  /// What the library's refusal to read on means; nil when it is not the peer's fault.
  init?(libraryCode code: Int32) {
    switch code {
    case Self.tooManyContinuations: self = .continuations
    case Self.flooded: self = .unreadAnswers
    case Self.badMagic: self = .preface
    case Self.outOfMemory, Self.callbackFailure: return nil
    default: self = .other
    }
  }

  /// What the code of the library's own GOAWAY means.
  init(goAwayCode code: UInt32) {
    switch HTTP2ErrorCode(rawValue: code) {
    case .protocolError, .settingsTimeout: self = .protocolError
    case .flowControlError: self = .flowControl
    case .frameSizeError: self = .frameSize
    case .compressionError: self = .compression
    case .streamClosed: self = .streamClosed
    case .internalError, .enhanceYourCalm: self = .libraryLimit
    default: self = .other
    }
  }

  // nghttp2_error, written out so that this file needs no C.
  private static let outOfMemory: Int32 = -901
  private static let callbackFailure: Int32 = -902
  private static let badMagic: Int32 = -903
  private static let flooded: Int32 = -904
  private static let tooManyContinuations: Int32 = -905
}
