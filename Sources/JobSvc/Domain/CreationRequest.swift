internal import Crypto
internal import OneShotAPI
internal import Protobuf

/// A request to create a job, checked as far as the request alone allows.
struct CreationRequest: Sendable {
  let description: JobDescription
  let clientRef: String?
  let webhookURL: String?
  let ownPriority: Int32

  private static let maxRefBytes = 255
  private static let standardPriority: Int32 = 5

  /// Checks `request`.
  init(
    _ request: Jobs.CreateJobRequest,
    _ webhookURLs: WebhookURLRule
  ) throws(RequestProblem) {
    guard !request.jobType.isEmpty else { throw .missing("job_type") }
    guard let type = JobType(name: request.jobType) else {
      throw .unknownJobType(request.jobType)
    }
    guard let params = request.params else { throw .missing("params") }
    description = try ParameterRules.check(type, params)
    clientRef = request.clientRef
    if let clientRef, clientRef.utf8.count > Self.maxRefBytes {
      throw RequestProblem(
        "INVALID_VALUE",
        "Field 'client_ref' must be at most \(Self.maxRefBytes) bytes",
        field: "client_ref"
      )
    }
    webhookURL = request.webhookUrl
    if let webhookURL { try webhookURLs.check(webhookURL) }
    ownPriority = request.priority ?? Self.standardPriority
    guard (0...9).contains(ownPriority) else {
      throw RequestProblem(
        "INVALID_VALUE",
        "Field 'priority' must be between 0 and 9",
        field: "priority"
      )
    }
  }

  /// SHA-256 of the request in canonical form: two spellings of one request are the same.
  var fingerprint: [UInt8] {
    let canonical = Jobs.CreateJobRequest.with {
      $0.jobType = description.type.rawValue
      $0.params = description.params
      $0.clientRef = clientRef
      $0.webhookUrl = webhookURL
      $0.priority = ownPriority
    }
    return Array(SHA256.hash(data: canonical.encoded()))
  }
}

/// Reads the `Idempotency-Key` header.
enum IdempotencyKey {
  private static let maxBytes = 255

  /// The key without the quotes of a structured field; nil when there is no header.
  ///
  /// - Throws: `IDEMPOTENCY_KEY_INVALID` unless it is 1…255 visible ASCII characters.
  static func read(_ header: String?) throws(RequestProblem) -> String? {
    guard var key = header?[...] else { return nil }
    if key.count >= 2, key.hasPrefix("\""), key.hasSuffix("\"") {
      key = key.dropFirst().dropLast()
    }
    let isVisible = key.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    guard !key.isEmpty, key.utf8.count <= maxBytes, isVisible else {
      throw RequestProblem(
        "IDEMPOTENCY_KEY_INVALID",
        "Idempotency-Key must be 1 to \(maxBytes) visible ASCII characters"
      )
    }
    return String(key)
  }
}
