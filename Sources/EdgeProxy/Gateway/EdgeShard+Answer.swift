internal import HTTPCore
internal import Logging

extension EdgeShard {
  /// The answer to a request that could not even be read.
  nonisolated func answer(to problem: Problem) -> EdgeResponse {
    assumeIsolated { shard in
      let identity = shard.identity(HTTPHeaders())
      let context = RequestContext(
        identity: identity,
        base: shard.core.headers.base(
          isSecure: false,
          requestID: identity.requestID,
          origin: nil
        ),
        address: nil,
        wantsProblem: false,
        started: .now
      )
      return shard.answer(to: problem, context)
    }
  }

  /// The answer that reports a problem.
  func answer(to problem: Problem, _ context: RequestContext) -> EdgeResponse {
    var headers = context.base
    let type = context.wantsProblem ? "application/problem+json" : "application/json"
    headers.append("content-type", type)
    headers.append("cache-control", "no-store")
    if let seconds = problem.retryAfterSeconds { headers.append("retry-after", String(seconds)) }
    for field in problem.headers { headers.append(field.name, field.value) }
    var response = EdgeResponse(problem.status, headers)
    response.body = problem.body(
      requestID: context.identity.requestID,
      documentation: core.documentation
    )
    response.closesConnection = problem.closesConnection
    return response
  }

  /// Counts and logs a request at its end: one line each.
  func noteEnd(
    _ head: HTTPRequestHead,
    _ context: RequestContext,
    route: String,
    status: HTTPStatus,
    reason: String?,
    _ token: VerifiedToken?
  ) {
    let duration = context.started.duration(to: .now)
    core.metrics.noteRequest(route, status: status.rawValue, duration: duration)
    let level: Logger.Level = status.rawValue >= 500 ? .error : .info
    guard core.logger.logLevel <= level else { return }
    let (seconds, attoseconds) = duration.components
    let milliseconds = Double(seconds) * 1e3 + (Double(attoseconds) / 1e12).rounded() / 1e3
    var metadata: Logger.Metadata = [
      "request_id": .string(context.identity.requestID),
      "trace_id": .string(context.identity.traceID),
      "method": .string(head.method.rawValue),
      "route": .string(route),
      "status": .stringConvertible(status.rawValue),
      "duration_ms": .stringConvertible(milliseconds),
    ]
    if let reason { metadata["error_code"] = .string(reason) }
    if let token { metadata["user_id"] = .string(token.principal.userID.uuidString.lowercased()) }
    if let address = context.address { metadata["client"] = .string(address.text) }
    core.logger.log(level: level, "request", metadata: metadata)
  }
}
