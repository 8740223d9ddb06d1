internal import HTTPCore

/// What the edge answers by itself; the raw value is the path.
enum Page: String, Sendable, CaseIterable {
  case health = "/health"
  case live = "/healthz"
  case ready = "/readyz"
  case openAPI = "/openapi.json"
  case documentation = "/docs"
}

/// The edge's own pages.
final class Pages: Sendable {
  private let openAPI: [UInt8]
  private let documentation: [UInt8]
  private let readiness: PublicReadiness

  /// The documentation page is the one page with a style sheet, which stands in it.
  private static let documentationPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

  init(openAPI: [UInt8], documentation: [UInt8], readiness: PublicReadiness) {
    self.openAPI = openAPI
    self.documentation = documentation
    self.readiness = readiness
  }

  /// The answer to a page's request.
  func answer(_ page: Page, _ request: AdmittedRequest) async -> EdgeResponse {
    var headers = request.context.base
    switch page {
    case .health, .live:
      return Self.json(200, Array(#"{"status":"ok","service":"edge"}"#.utf8), &headers)
    case .ready:
      let report = await readiness.report()
      return Self.json(report.isHealthy ? 200 : 503, report.json, &headers)
    case .openAPI:
      headers.append("content-type", "application/json")
      headers.append("cache-control", "public, max-age=60")
      return EdgeResponse(200, headers, body: openAPI)
    case .documentation:
      headers.set("content-security-policy", Self.documentationPolicy)
      headers.append("content-type", "text/html; charset=utf-8")
      headers.append("cache-control", "public, max-age=60")
      return EdgeResponse(200, headers, body: documentation)
    }
  }

  private static func json(
    _ status: HTTPStatus,
    _ body: [UInt8],
    _ headers: inout HTTPHeaders
  ) -> EdgeResponse {
    headers.append("content-type", "application/json")
    headers.append("cache-control", "no-store")
    return EdgeResponse(status, headers, body: body)
  }
}
