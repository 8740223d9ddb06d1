internal import EchoAPI
internal import RPC

/// Answers with what it was sent.
///
/// A field `x-echo` asks for more: `compress` for compressed replies, `details` for an error with details of
/// every kind, `metadata` for the fields called `x-echo-initial` and `x-echo-trailing-bin` in headers and
/// trailers, with `x-echo-was-compressed` that says how the request came.
struct EchoHandler: Echo.EchoServiceHandler {
  func echo(
    _ request: Echo.EchoRequest,
    context: ServerContext
  ) async throws -> Echo.EchoResponse {
    try obey(context)
    if request.delayMs > 0 { try await pause(request.delayMs) }
    try fail(request.failCode, request.text)
    return .with {
      $0.payload = request.payload
      $0.text = request.text
    }
  }

  func serverStream(
    _ request: Echo.ServerStreamRequest,
    responses: ResponseWriter<Echo.ServerStreamResponse>,
    context: ServerContext
  ) async throws {
    try obey(context)
    for index in 0..<max(0, request.count) {
      if request.delayMs > 0 { try await pause(request.delayMs) }
      try await responses.send(
        .with {
          $0.payload = request.payload
          $0.index = index
        }
      )
    }
    try fail(request.failCode, "")
  }

  func clientStream(
    _ requests: RequestStream<Echo.ClientStreamRequest>,
    context: ServerContext
  ) async throws -> Echo.ClientStreamResponse {
    var response = Echo.ClientStreamResponse()
    for try await request in requests {
      response.messages += 1
      response.bytes += Int64(request.payload.count)
    }
    return response
  }

  func bidi(
    _ requests: RequestStream<Echo.BidiRequest>,
    responses: ResponseWriter<Echo.BidiResponse>,
    context: ServerContext
  ) async throws {
    try obey(context)
    for try await request in requests {
      try await responses.send(
        .with {
          $0.payload = request.payload
          $0.text = request.text
        }
      )
    }
  }

  private func pause(_ milliseconds: Int32) async throws {
    try await ContinuousClock().sleep(for: .milliseconds(milliseconds))
  }

  /// What the caller wants besides the echo; benchmarks want nothing.
  private func obey(_ context: ServerContext) throws {
    switch context.metadata["x-echo"] {
    case "compress": context.compressReply()
    case "details": throw Self.detailed
    case "metadata": answerMetadata(context)
    default: break
    }
  }

  private func answerMetadata(_ context: ServerContext) {
    for value in context.metadata.values(of: "x-echo-initial") {
      context.setHeader("x-echo-initial", value)
    }
    for value in context.metadata.values(of: "x-echo-trailing-bin") {
      context.setTrailer("x-echo-trailing-bin", value)
    }
    context.setHeader("x-echo-was-compressed", "\(context.wasRequestCompressed)")
  }

  private func fail(_ code: Int32, _ text: String) throws {
    guard let code = StatusCode(rawValue: Int(code)), code != .ok else { return }
    throw ServiceError.runtime(code, text.isEmpty ? "asked to fail with \(code.name)" : text)
  }

  private static let detailed = ServiceError(
    code: .resourceExhausted,
    reason: "DAILY_LIMIT_EXCEEDED",
    message: "five a day",
    retryAfter: .milliseconds(1_500),
    metadata: ["limit": "5"],
    violations: [FieldViolation(field: "params.scale", description: "must be 2 or 4")],
    quotaViolations: [QuotaViolation(subject: "plan:free", description: "5 jobs a day")]
  )
}
