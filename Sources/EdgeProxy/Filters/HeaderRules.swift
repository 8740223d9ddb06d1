internal import HTTPCore
internal import OneShotAPI

/// Rules about single header fields of a request.
enum HeaderRules {
  /// The client's idempotency key: bare, or quoted as the draft wants it; 1–255 visible characters.
  ///
  /// - Throws: ``Problem`` 400 for a missing key where one is required, two keys, or a bad one.
  static func idempotencyKey(
    _ headers: HTTPHeaders,
    isRequired: Bool
  ) throws(Problem) -> String? {
    let values = headers.values("idempotency-key")
    guard let value = values.first else {
      guard isRequired else { return nil }
      throw Problem("IDEMPOTENCY_KEY_REQUIRED", "Send an Idempotency-Key header.")
    }
    var key = Substring(value)
    if key.utf8.count >= 2, key.first == "\"", key.last == "\"" { key = key.dropFirst().dropLast() }
    let isVisible = key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }
    guard values.count == 1, (1...255).contains(key.utf8.count), isVisible else {
      throw Problem(
        "IDEMPOTENCY_KEY_INVALID",
        "The Idempotency-Key must be one value of 1 to 255 visible ASCII characters."
      )
    }
    return String(key)
  }

  /// The event after which a client resumes a stream: the header, or a native client's parameter.
  static func lastEventID(_ headers: HTTPHeaders, query: String?) throws(Problem) -> String? {
    guard let value = headers["last-event-id"] ?? query, !value.isEmpty else { return nil }
    guard value.utf8.count <= 64, value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw Problem("INVALID_ARGUMENT", "The Last-Event-ID is not one of ours.")
    }
    return value
  }

  /// Refuses a body that does not say it is JSON; a body without a type is taken for JSON.
  static func checkJSONContentType(_ headers: HTTPHeaders) throws(Problem) {
    guard let value = headers["content-type"] else { return }
    let type = value.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
    let isJSON = type == "application/json" || type.hasSuffix("+json")
    guard isJSON, headers.count(of: "content-type") == 1 else {
      throw Problem("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json.")
    }
  }

  /// The declared length of the body.
  static func contentLength(_ headers: HTTPHeaders) -> Int? {
    headers["content-length"].flatMap { Int($0) }
  }
}

/// What a client says it can read (RFC 9110 §12.5.1).
struct AcceptRule: Sendable {
  private let ranges: [String]
  /// The client says nothing, or that it reads anything.
  private let isOpen: Bool

  init(_ headers: HTTPHeaders) {
    let first = headers.valueBytes("accept")
    isOpen = first?.elementsEqual("*/*".utf8) ?? true
    guard !isOpen || headers.count(of: "accept") > 1 else {
      ranges = []
      return
    }
    ranges = headers.values("accept").flatMap { $0.split(separator: ",") }.compactMap { range in
      let parts = range.lowercased().split(separator: ";").map { $0.filter { $0 != " " } }
      let isRefused = parts.dropFirst().contains { ["q=0", "q=0.0", "q=0.00"].contains($0) }
      return isRefused ? nil : parts.first
    }
  }

  /// Whether the client reads `type`, `application/json` say; a client that says nothing does.
  func allows(_ type: String) -> Bool {
    if isOpen { return true }
    let family = type.prefix { $0 != "/" } + "/*"
    return ranges.contains { $0 == type || $0 == "*/*" || $0 == family }
  }

  /// Whether the client names `type` itself.
  func names(_ type: String) -> Bool { ranges.contains(type) }
}
