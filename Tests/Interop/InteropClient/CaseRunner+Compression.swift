internal import InteropAPI
internal import RPC

extension CaseRunner {
  private static let compressed = CallOptions(compression: .gzip)

  func clientCompressedUnary() async throws {
    var request = GrpcTesting.SimpleRequest.large()
    request.expectCompressed = .with { $0.value = true }
    // The probe: a server that looks at the frames refuses this.
    try await expectStatus(.invalidArgument) { _ = try await service.unaryCall(request) }
    let first = try await service.unaryCall(request, options: Self.compressed)
    try expectZeros(first.payload, size: Self.responseBytes)
    request.expectCompressed = .with { $0.value = false }
    let second = try await service.unaryCall(request)
    try expectZeros(second.payload, size: Self.responseBytes)
  }

  func serverCompressedUnary() async throws {
    for wanted in [true, false] {
      var request = GrpcTesting.SimpleRequest.large()
      request.responseCompressed = .with { $0.value = wanted }
      let reply = try await channel.unaryReply(
        GrpcTesting.TestServiceMethods.unaryCall,
        request.encoded(reserving: RPCFraming.prefixLength)
      )
      try expect("the compressed flag of the response", reply.wasCompressed, is: wanted)
      let response = try GrpcTesting.SimpleResponse(decodingCall: reply.message)
      try expectZeros(response.payload, size: Self.responseBytes)
    }
  }

  func clientCompressedStreaming() async throws {
    try await expectStatus(.invalidArgument) {
      _ = try await service.streamingInputCall { writer in
        try await writer.send(.payload(27_182, expectCompressed: true))
      }
    }
    let response = try await service.streamingInputCall(options: Self.compressed) { writer in
      try await writer.send(.payload(27_182, expectCompressed: true))
      try await writer.send(.payload(45_904, expectCompressed: false), compress: false)
    }
    try expect("the aggregated size", response.aggregatedPayloadSize, is: 73_086)
  }

  func serverCompressedStreaming() async throws {
    let wanted: [(size: Int32, compressed: Bool)] = [(31_415, true), (92_653, false)]
    let responses = try await service.streamingOutputCall(
      .with {
        $0.responseParameters = wanted.map { one in
          .with {
            $0.size = one.size
            $0.compressed = .with { $0.value = one.compressed }
          }
        }
      }
    )
    var iterator = responses.makeAsyncIterator()
    for one in wanted {
      guard let response = try await iterator.next() else {
        throw CaseFailure("the stream ended before the response of \(one.size) bytes")
      }
      try expectZeros(response.payload, size: one.size)
      try expect(
        "the compressed flag of the response of \(one.size) bytes",
        await responses.wasCompressed,
        is: one.compressed
      )
    }
    guard try await iterator.next() == nil else { throw CaseFailure("a third response came") }
  }
}

extension GrpcTesting.StreamingInputCallRequest {
  fileprivate static func payload(
    _ size: Int,
    expectCompressed: Bool
  ) -> GrpcTesting.StreamingInputCallRequest {
    .with {
      $0.payload = .zeros(size)
      $0.expectCompressed = .with { $0.value = expectCompressed }
    }
  }
}
