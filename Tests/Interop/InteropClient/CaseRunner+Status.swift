internal import InteropAPI
internal import RPC

extension CaseRunner {
  private static let specialMessage =
    "\t\ntest with whitespace\r\nand Unicode BMP \u{263A} and non-BMP \u{1F608}\t\n"

  func statusCodeAndMessage() async throws {
    let status = GrpcTesting.EchoStatus.with {
      $0.code = 2
      $0.message = "test status message"
    }
    try await expectStatus(.unknown, message: status.message) {
      _ = try await service.unaryCall(.with { $0.responseStatus = status })
    }
    try await expectStatus(.unknown, message: status.message) {
      let call = try await service.fullDuplexCall()
      try await call.requests.send(.with { $0.responseStatus = status })
      await call.requests.finish()
      _ = try await collect(call.responses)
    }
  }

  func specialStatusMessage() async throws {
    try await expectStatus(.unknown, message: Self.specialMessage) {
      _ = try await service.unaryCall(
        .with {
          $0.responseStatus = .with {
            $0.code = 2
            $0.message = Self.specialMessage
          }
        }
      )
    }
  }

  func unimplementedMethod() async throws {
    try await expectStatus(.unimplemented) {
      _ = try await channel.unary(Self.unknownMethod, RPCFraming.frame([]))
    }
  }

  func unimplementedService() async throws {
    let unknown = GrpcTesting.UnimplementedServiceClient(channel)
    try await expectStatus(.unimplemented) {
      _ = try await unknown.unimplementedCall(GrpcTesting.Empty())
    }
  }

  /// Not in our schema, so that our server does not know it.
  private static let unknownMethod = MethodDescriptor(
    service: "grpc.testing.TestService",
    method: "UnimplementedCall",
    kind: .unary,
    allowedCallers: [],
    noSideEffects: false,
    defaultTimeoutMilliseconds: 0,
    requestType: "grpc.testing.Empty",
    responseType: "grpc.testing.Empty"
  )
}
