internal import HTTPCore
internal import ProtobufJSON
internal import RPC

/// An error as the public sees it: status, stable code and text.
struct Problem: Error, Sendable {
  /// One refused part of a request.
  struct Violation: Sendable, Equatable {
    /// JSON pointer into the body, or the name of a field.
    let pointer: String
    let detail: String
  }

  var status: HTTPStatus
  /// `error_code`, a name of `ErrorReason`.
  var reason: String
  /// What happened, for people; nothing internal.
  var detail: String
  /// When trying again makes sense.
  var retryAfter: Duration?
  var violations: [Violation] = []
  /// A JSON object whose members join the body.
  var extras: String?
  /// A JSON value that stands in for `detail`, for errors whose clients know an object there.
  var detailJSON: String?
  /// Further fields of the answer's head (`allow`, `www-authenticate`).
  var headers = HTTPHeaders()
  /// The HTTP/1 connection cannot be used again: the body was not read.
  var closesConnection = false

  init(_ status: HTTPStatus, _ reason: String, _ detail: String) {
    self.status = status
    self.reason = reason
    self.detail = detail
  }

  /// A problem whose status and reason belong together in the table of reasons.
  init(_ reason: String, _ detail: String) {
    self.init(ReasonTable.entry(reason)?.status ?? 500, reason, detail)
  }

  /// What a service answered.
  init(_ error: ServiceError) {
    let entry = ReasonTable.entry(error.reason)
    let status = entry?.status ?? StatusTable.httpStatus(of: error.code)
    let reason = entry == nil ? ReasonTable.reason(of: error.code) : error.reason
    self.init(status, reason, error.message)
    if status.rawValue >= 500 { detail = ReasonTable.publicDetail(of: error, reason) }
    // Who is told to come back is told when.
    retryAfter = error.retryAfter ?? (status == 503 ? .seconds(1) : nil)
    extras = error.metadata["extras_json"]
    detailJSON = error.metadata["detail_json"]
    violations = error.violations.map { Violation(pointer: $0.field, detail: $0.description) }
    if status == 401 { headers.append("www-authenticate", Self.challenge) }
  }

  /// A body or parameter that does not fit the request's message.
  init(_ error: TranscodingError) {
    switch error.reason {
    case .malformedJSON: self.init("MALFORMED_JSON", error.detail)
    case .unknownField: self.init("UNKNOWN_FIELD", error.detail)
    case .duplicateField: self.init("DUPLICATE_FIELD", error.detail)
    case .invalidValue: self.init("INVALID_VALUE", error.detail)
    case .unknownParameter: self.init("UNKNOWN_PARAMETER", error.detail)
    case .unprintable: self.init("INTERNAL", "The answer cannot be printed.")
    }
    guard error.reason != .unprintable else { return }
    if !error.pointer.isEmpty {
      detail = "\(error.pointer): \(error.detail)"
      violations = [Violation(pointer: error.pointer, detail: error.detail)]
    }
  }

  /// A request that breaks a rule of HTTP; `rule` is the rule's name.
  init(protocolFailure status: HTTPStatus, _ rule: String) {
    let reason =
      switch status {
      case 413: "BODY_TOO_LARGE"
      case 501: "UNIMPLEMENTED"
      default: "INVALID_ARGUMENT"
      }
    self.init(status, reason, "The request was refused: \(rule).")
    closesConnection = true
  }

  /// A body over its limit, refused before it is read.
  static func bodyTooLarge(_ limit: Int) -> Problem {
    var problem = Problem("BODY_TOO_LARGE", "The body may have at most \(limit) bytes.")
    problem.closesConnection = true
    return problem
  }

  /// `WWW-Authenticate` of a 401 without a token, and with a bad one (RFC 6750 §3).
  static let challenge = "Bearer"
  static let invalidTokenChallenge = "Bearer error=\"invalid_token\""
}
