internal import Foundation
internal import InteropAPI
internal import RPC

extension CaseRunner {
  func emptyUnary() async throws {
    let request = GrpcTesting.Empty()
    let reply = try await channel.unary(
      GrpcTesting.TestServiceMethods.emptyCall,
      request.encoded(reserving: RPCFraming.prefixLength)
    )
    try expect("the size of the request", request.encoded().count, is: 0)
    try expect("the size of the response", reply.count, is: 0)
  }

  func largeUnary() async throws {
    try await largeUnary(
      on: channel,
      requestBytes: Self.requestBytes,
      responseBytes: Self.responseBytes
    )
  }

  /// One large call; the soak cases repeat it with sizes of their own.
  func largeUnary(on channel: Channel, requestBytes: Int, responseBytes: Int32) async throws {
    let response = try await GrpcTesting.TestServiceClient(channel)
      .unaryCall(.large(request: requestBytes, response: responseBytes))
    try expectZeros(response.payload, size: responseBytes)
  }

  /// Passes only behind a cache: the server's answer is another one each time.
  ///
  /// gRPC has withdrawn the GET requests of the description; the protocol knows POST alone
  /// (grpc doc/PROTOCOL-HTTP2.md), so the cache tells requests apart by their message.
  func cacheableUnary() async throws {
    let now = DispatchTime.now().uptimeNanoseconds
    let request = GrpcTesting.SimpleRequest.with {
      $0.payload = .with {
        $0.body = Array("\(ProcessInfo.processInfo.processIdentifier).\(now)".utf8)
      }
    }
    // Some proxies keep nothing for clients on their own machine.
    let options = CallOptions(metadata: [("x-user-ip", "1.2.3.4")])
    let first = try await service.cacheableUnaryCall(request, options: options)
    let second = try await service.cacheableUnaryCall(request, options: options)
    let bodies = [first, second].map { String(decoding: $0.payload?.body ?? [], as: UTF8.self) }
    guard !bodies[0].isEmpty else { throw CaseFailure("the first response has no payload") }
    try expect("the second payload", bodies[1], is: bodies[0])
  }
}

extension GrpcTesting.SimpleRequest {
  /// The request of `large_unary` and of all that build on it.
  static func large(
    request: Int = CaseRunner.requestBytes,
    response: Int32 = CaseRunner.responseBytes
  ) -> GrpcTesting.SimpleRequest {
    .with {
      $0.responseSize = response
      $0.payload = .zeros(request)
    }
  }
}
