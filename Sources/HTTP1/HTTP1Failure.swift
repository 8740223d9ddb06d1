package import HTTPCore

/// Why a request was refused.
///
/// Framing is lost after any failure: answer with ``status`` and close the connection.
package struct HTTP1Failure: Error, Sendable, Hashable, CustomStringConvertible {
  /// The rule that was broken.
  package enum Reason: String, Sendable {
    case bareCarriageReturn, bareLineFeed, nulByte, leadingWhitespace, tooManyBlankLines
    case malformedRequestLine, malformedTarget, malformedField, malformedHost
    case missingHost, repeatedHost
    case repeatedContentLength, malformedContentLength, contentLengthWithTransferEncoding
    case malformedTransferEncoding, transferEncodingInHTTP10, unknownTransferCoding
    case malformedChunk, chunkFramingTooLarge
    case unknownMethod, unsupportedVersion, unknownExpectation
    case targetTooLong, headTooLarge, tooManyFields, bodyTooLarge
  }

  /// What to answer: 400, 413, 414, 417, 431, 501 or 505.
  package let status: HTTPStatus
  /// The rule that was broken, a bounded set fit for a metric's label.
  package let reason: Reason

  init(_ status: HTTPStatus, _ reason: Reason) {
    self.status = status
    self.reason = reason
  }

  /// The status and the rule's name.
  package var description: String {
    "\(status.rawValue) \(reason.rawValue)"
  }
}
