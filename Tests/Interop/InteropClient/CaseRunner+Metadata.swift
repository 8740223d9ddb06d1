internal import InteropAPI
internal import RPC

extension CaseRunner {
  private static let echoed = "test_initial_metadata_value"
  private static let echoedBytes: [UInt8] = [0xab, 0xab, 0xab]

  func customMetadata() async throws {
    let options = CallOptions(metadata: [
      ("x-grpc-test-echo-initial", Self.echoed),
      // 0xababab in base64, as `-bin` fields travel.
      ("x-grpc-test-echo-trailing-bin", "q6ur"),
    ])
    let request = GrpcTesting.SimpleRequest.large()
    let reply = try await channel.unaryReply(
      GrpcTesting.TestServiceMethods.unaryCall,
      request.encoded(reserving: RPCFraming.prefixLength),
      options: options
    )
    try expectEcho(of: "the unary call", reply.headers, reply.trailers)

    let call = try await service.fullDuplexCall(options: options)
    try await call.requests.send(
      .ping(request: Self.requestBytes, response: Self.responseBytes)
    )
    await call.requests.finish()
    let responses = try await collect(call.responses)
    try expect("the number of responses", responses.count, is: 1)
    try expectZeros(responses[0].payload, size: Self.responseBytes)
    try expectEcho(
      of: "the stream",
      try await call.responses.headers,
      await call.responses.trailers
    )
  }

  private func expectEcho(
    of call: String,
    _ headers: Metadata,
    _ trailers: Metadata
  ) throws {
    try expect(
      "x-grpc-test-echo-initial at the start of \(call)",
      headers["x-grpc-test-echo-initial"],
      is: Self.echoed
    )
    try expect(
      "x-grpc-test-echo-trailing-bin at the end of \(call)",
      trailers.binary("x-grpc-test-echo-trailing-bin"),
      is: Self.echoedBytes
    )
  }
}
