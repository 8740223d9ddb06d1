/// Stable reasons for which a media job fails; clients and providers may test them.
package enum MediaErrorCode: String, Sendable, Hashable, Codable, CaseIterable {
  /// Not a picture, or one that is damaged or cut short.
  case imageInvalid = "IMAGE_INVALID"
  /// A picture of a format that is not accepted (SVG, TIFF, PDF and the like).
  case imageTypeUnsupported = "IMAGE_TYPE_UNSUPPORTED"
  /// More bytes, pixels or a longer side than allowed.
  case imageTooLarge = "IMAGE_TOO_LARGE"
  /// A side shorter than allowed.
  case imageTooSmall = "IMAGE_TOO_SMALL"
  /// The operation needs a frontal face and there is none.
  case noFaceFound = "NO_FACE_FOUND"
  /// A parameter of the job is outside its range.
  case parameterInvalid = "PARAMETER_INVALID"
  /// The bytes on the pipe do not follow the protocol.
  case protocolViolation = "PROTOCOL_VIOLATION"
  /// Memory ran out.
  case resourceExhausted = "RESOURCE_EXHAUSTED"
  /// A fault of ours.
  case internalFailure = "INTERNAL"

  /// Whether the input is at fault, so that another attempt cannot help.
  package var isPermanent: Bool {
    switch self {
    case .resourceExhausted, .internalFailure, .protocolViolation: false
    default: true
    }
  }
}

/// A media job's failure: a stable code and words for people.
package struct MediaError: Error, Sendable, Hashable, Codable, CustomStringConvertible {
  /// The stable reason.
  package var code: MediaErrorCode
  /// One sentence that may be shown to the user; it holds no paths and no library's words.
  package var message: String
  /// Position of the input picture at fault, when it is one.
  package var image: Int?
  /// What a library said, for the log only.
  package var cause: String?

  /// A failure.
  package init(_ code: MediaErrorCode, _ message: String, image: Int? = nil, cause: String? = nil) {
    self.code = code
    self.message = message
    self.image = image
    self.cause = cause
  }

  package var description: String {
    "\(code.rawValue): \(message)" + (cause.map { " (\($0))" } ?? "")
  }
}
