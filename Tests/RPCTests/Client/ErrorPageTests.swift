import Testing

@testable import RPC

@Suite("Error pages") struct ErrorPageTests {
  /// The table of grpc doc/http-grpc-status-mapping.md.
  @Test(
    "A page of HTTP instead of a reply becomes the status that its own stands for",
    arguments: [
      (400, .internalError), (401, .unauthenticated), (403, .permissionDenied),
      (404, .unimplemented), (429, .unavailable), (500, .unknown), (502, .unavailable),
      (503, .unavailable), (504, .unavailable),
    ] as [(Int, StatusCode)]
  )
  func mapping(status: Int, code: StatusCode) async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .errorPage(status) }
      let channel = try fixture.channel("\(peer.address)")
      let error = await #expect(throws: ServiceError.self) {
        try await channel.call(RPCFixture.method("Echo"))
      }
      #expect(error?.code == code)
      await channel.close()
    }
  }
}
