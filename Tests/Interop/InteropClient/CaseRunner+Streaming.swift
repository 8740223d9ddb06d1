internal import InteropAPI
internal import RPC

extension CaseRunner {
  func clientStreaming() async throws {
    let response = try await service.streamingInputCall { writer in
      for size in Self.streamedRequestBytes {
        try await writer.send(.with { $0.payload = .zeros(size) })
      }
    }
    try expect("the aggregated size", response.aggregatedPayloadSize, is: 74_922)
  }

  func serverStreaming() async throws {
    let responses = try await collect(
      service.streamingOutputCall(
        .with { $0.responseParameters = Self.streamedResponseBytes.map { .size($0) } }
      )
    )
    try expect("the number of responses", responses.count, is: 4)
    for (response, size) in zip(responses, Self.streamedResponseBytes) {
      try expectZeros(response.payload, size: size)
    }
  }

  func pingPong() async throws {
    let call = try await service.fullDuplexCall()
    var responses = call.responses.makeAsyncIterator()
    for (request, response) in zip(Self.streamedRequestBytes, Self.streamedResponseBytes) {
      try await call.requests.send(.ping(request: request, response: response))
      // Nothing more is sent before the answer is here.
      guard let pong = try await responses.next() else {
        throw CaseFailure("the stream ended before the response of \(response) bytes")
      }
      try expectZeros(pong.payload, size: response)
    }
    await call.requests.finish()
    guard try await responses.next() == nil else { throw CaseFailure("a fifth response came") }
  }

  func emptyStream() async throws {
    let call = try await service.fullDuplexCall()
    await call.requests.finish()
    let responses = try await collect(call.responses)
    try expect("the number of responses", responses.count, is: 0)
  }
}

extension GrpcTesting.StreamingOutputCallRequest {
  /// A request that wants one response.
  static func ping(request: Int, response: Int32) -> GrpcTesting.StreamingOutputCallRequest {
    .with {
      $0.responseParameters = [.size(response)]
      $0.payload = .zeros(request)
    }
  }
}
