internal import EchoAPI
internal import RPC

/// Answers with what it was sent.
struct EchoHandler: Echo.EchoServiceHandler {
  func echo(
    _ request: Echo.EchoRequest,
    context: ServerContext
  ) async throws -> Echo.EchoResponse {
    try await pause(request.delayMs)
    try fail(request.failCode)
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
    for index in 0..<max(0, request.count) {
      try await pause(request.delayMs)
      try await responses.send(
        .with {
          $0.payload = request.payload
          $0.index = index
        }
      )
    }
    try fail(request.failCode)
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
    guard milliseconds > 0 else { return }
    try await ContinuousClock().sleep(for: .milliseconds(milliseconds))
  }

  private func fail(_ code: Int32) throws {
    guard let code = StatusCode(rawValue: Int(code)), code != .ok else { return }
    throw ServiceError.runtime(code, "asked to fail with \(code.name)")
  }
}
