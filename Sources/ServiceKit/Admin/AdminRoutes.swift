internal import EventLoop
internal import HTTPCore

/// What the admin port answers.
struct AdminRoutes: Sendable {
  let service: String
  let readiness: Readiness
  let metrics: PrometheusRegistry
  let group: EventLoopGroup

  struct Answer: Sendable {
    var status: HTTPStatus = 200
    var contentType = "application/json"
    var body: [UInt8]
  }

  func answer(_ method: HTTPMethod, path: String) async -> Answer {
    guard method == .get || method == .head else { return refusal(405, "METHOD_NOT_ALLOWED") }
    switch path {
    case "/healthz", "/health":
      return Answer(body: Array("{\"status\":\"ok\",\"service\":\"\(service)\"}".utf8))
    case "/readyz":
      let report = await readiness.report()
      return Answer(status: report.isHealthy ? 200 : 503, body: report.json)
    case "/metrics":
      return await exposition()
    default:
      return refusal(404, "NOT_FOUND")
    }
  }

  private func exposition() async -> Answer {
    let process = try? await group.preferred().offload { ProcessMetrics.text() }
    return Answer(
      contentType: "text/plain; version=0.0.4; charset=utf-8",
      body: Array((metrics.text() + (process ?? "")).utf8)
    )
  }

  private func refusal(_ status: HTTPStatus, _ code: String) -> Answer {
    Answer(status: status, body: Array("{\"error_code\":\"\(code)\"}".utf8))
  }
}
