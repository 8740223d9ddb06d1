internal import HTTP2
internal import Protobuf

/// How a ``ServiceError`` looks in trailers, and back.
enum StatusDetails {
  /// Largest trailer that travels safely; longer details are left out.
  private static let maxDetailsBytes = 6 * 1_024
  /// Longest text of `grpc-message`, as it is sent; the rest is cut off.
  private static let maxMessageBytes = 4 * 1_024
  private static let typePrefix = "type.googleapis.com/"

  /// Appends `grpc-status`, `grpc-message` and `grpc-status-details-bin`.
  static func append(_ error: ServiceError, to block: inout HeaderBlock) {
    block.append("grpc-status", String(error.code.rawValue))
    if !error.message.isEmpty {
      block.append("grpc-message", PercentCoding.encode(error.message, limit: maxMessageBytes))
    }
    let details = encode(error)
    guard details.count <= maxDetailsBytes else { return }
    block.append("grpc-status-details-bin", Base64.encode(details))
  }

  /// The error of a call that ended with these trailers, nil for success.
  static func error(in trailers: HeaderBlock, httpStatus: Int) -> ServiceError? {
    guard let text = trailers.value(of: "grpc-status") else {
      return .runtime(.fromHTTP(httpStatus), "HTTP status \(httpStatus) without grpc-status")
    }
    // `Int` would take a sign.
    let number = text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    let code = number.flatMap(StatusCode.init(rawValue:)) ?? .unknown
    guard code != .ok else { return nil }
    let message = trailers.value(of: "grpc-message").map(PercentCoding.decode) ?? ""
    var error = ServiceError(code: code, reason: code.name, message: message)
    if let details = trailers.value(of: "grpc-status-details-bin").flatMap(Base64.decode) {
      read(details, into: &error)
    }
    return error
  }

  private static func encode(_ error: ServiceError) -> [UInt8] {
    var status = GoogleRpc.Status()
    status.code = Int32(error.code.rawValue)
    status.message = error.message
    var info = GoogleRpc.ErrorInfo()
    info.reason = error.reason
    info.domain = ServiceError.domain
    info.metadata = error.metadata
    status.details.append(any(info))
    if let retryAfter = error.retryAfter {
      var retry = GoogleRpc.RetryInfo()
      let (seconds, attoseconds) = retryAfter.components
      var delay = GoogleProtobuf.Duration()
      delay.seconds = seconds
      delay.nanos = Int32(attoseconds / 1_000_000_000)
      retry.retryDelay = delay
      status.details.append(any(retry))
    }
    if !error.violations.isEmpty {
      var request = GoogleRpc.BadRequest()
      request.fieldViolations = error.violations.map { violation in
        var native = GoogleRpc.BadRequest.FieldViolation()
        native.field = violation.field
        native.description = violation.description
        return native
      }
      status.details.append(any(request))
    }
    if !error.quotaViolations.isEmpty {
      var quota = GoogleRpc.QuotaFailure()
      quota.violations = error.quotaViolations.map { violation in
        .with {
          $0.subject = violation.subject
          $0.description = violation.description
        }
      }
      status.details.append(any(quota))
    }
    return status.encoded()
  }

  private static func any(_ message: some ProtobufMessage) -> GoogleProtobuf.AnyMessage {
    var any = GoogleProtobuf.AnyMessage()
    any.typeUrl = typePrefix + type(of: message).fullName
    any.value = message.encoded()
    return any
  }

  private static func read(_ bytes: [UInt8], into error: inout ServiceError) {
    guard let status = try? GoogleRpc.Status(decoding: bytes) else { return }
    for detail in status.details {
      switch detail.typeUrl {
      case typePrefix + GoogleRpc.ErrorInfo.fullName:
        guard let info = try? GoogleRpc.ErrorInfo(decoding: detail.value) else { continue }
        error.reason = info.reason
        error.metadata = info.metadata
      case typePrefix + GoogleRpc.RetryInfo.fullName:
        guard let retry = try? GoogleRpc.RetryInfo(decoding: detail.value) else { continue }
        let delay = retry.retryDelay ?? GoogleProtobuf.Duration()
        error.retryAfter = .seconds(delay.seconds) + .nanoseconds(Int64(delay.nanos))
      case typePrefix + GoogleRpc.BadRequest.fullName:
        guard let request = try? GoogleRpc.BadRequest(decoding: detail.value) else { continue }
        error.violations = request.fieldViolations.map {
          FieldViolation(field: $0.field, description: $0.description)
        }
      case typePrefix + GoogleRpc.QuotaFailure.fullName:
        guard let quota = try? GoogleRpc.QuotaFailure(decoding: detail.value) else { continue }
        error.quotaViolations = quota.violations.map {
          QuotaViolation(subject: $0.subject, description: $0.description)
        }
      default: continue
      }
    }
  }
}
