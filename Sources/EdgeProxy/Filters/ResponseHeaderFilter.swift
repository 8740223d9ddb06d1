internal import HTTPCore

/// The fields that every answer carries, and those that browsers of allowed origins need.
struct ResponseHeaderFilter: Sendable {
  /// Exact origins, `https://app.example`, that browsers may call from.
  let allowedOrigins: Set<String>

  private static let plain: HTTPHeaders = [
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
  ]
  private static let secure: HTTPHeaders = {
    var headers = plain
    headers.append("strict-transport-security", "max-age=63072000; includeSubDomains")
    return headers
  }()

  private static let exposed =
    "RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    + "Retry-After, X-Request-Id, ETag, Link, Location, Idempotent-Replayed"
  private static let allowedHeaders =
    "Authorization, Content-Type, Accept, Idempotency-Key, Last-Event-ID, X-Request-Id, "
    + "traceparent, tracestate"
  private static let allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

  /// What an answer starts with.
  func base(isSecure: Bool, requestID: String, origin: String?) -> HTTPHeaders {
    var headers = isSecure ? Self.secure : Self.plain
    headers.append("x-request-id", requestID)
    if !allowedOrigins.isEmpty { headers.append("vary", "Origin") }
    if let origin, allowedOrigins.contains(origin) {
      headers.append("access-control-allow-origin", origin)
      headers.append("access-control-allow-credentials", "true")
      headers.append("access-control-expose-headers", Self.exposed)
    }
    return headers
  }

  /// Whether the request asks what a browser may send (Fetch standard, CORS preflight).
  static func isPreflight(_ head: HTTPRequestHead) -> Bool {
    head.method == .options && head.headers.contains("origin")
      && head.headers.contains("access-control-request-method")
  }

  /// The answer to a preflight; `base` says already whether the origin is allowed.
  func preflight(_ base: HTTPHeaders) -> EdgeResponse {
    var headers = base
    if headers.contains("access-control-allow-origin") {
      headers.append("access-control-allow-methods", Self.allowedMethods)
      headers.append("access-control-allow-headers", Self.allowedHeaders)
      headers.append("access-control-max-age", "7200")
    }
    return EdgeResponse(204, headers)
  }
}
