internal import InteropAPI
internal import RPC

extension CaseRunner {
  func cancelAfterBegin() async throws {
    try await expectStatus(.cancelled) {
      let call = try await channel.openStream(GrpcTesting.TestServiceMethods.streamingInputCall)
      await call.cancel()
      for try await _ in call { throw CaseFailure("a cancelled call brought a response") }
    }
  }

  func cancelAfterFirstResponse() async throws {
    try await expectStatus(.cancelled) {
      let call = try await service.fullDuplexCall()
      try await call.requests.send(
        .ping(request: Self.streamedRequestBytes[0], response: Self.streamedResponseBytes[0])
      )
      var responses = call.responses.makeAsyncIterator()
      guard let first = try await responses.next() else {
        throw CaseFailure("the stream ended without a response")
      }
      try expectZeros(first.payload, size: Self.streamedResponseBytes[0])
      await call.responses.cancel()
      _ = try await responses.next()
    }
  }

  func timeoutOnSleepingServer() async throws {
    // Connected already: the millisecond is for the server, not for the handshake.
    _ = try await service.emptyCall(GrpcTesting.Empty())
    try await expectStatus(.deadlineExceeded) {
      let call = try await service.fullDuplexCall(options: .timeout(.milliseconds(1)))
      try await call.requests.send(
        .with { $0.payload = .zeros(Self.streamedRequestBytes[0]) }
      )
      _ = try await collect(call.responses)
    }
  }
}
