import EventLoop
import HTTP2
import Testing

@testable import RPC

@Suite("Transparent retry") struct TransparentRetryTests {
  private let method = RPCFixture.method("Create")

  @Test("A refused call is sent again once, whatever its method does")
  func refusedOnce() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { $0.number == 1 ? .reset(.refusedStream) : .reply([7]) }
      let channel = try fixture.channel(to: peer)
      let reply = try await channel.call(method)
      #expect(reply == [7])
      #expect(peer.requests.count == 2)
      // The handler saw neither: it is no attempt that the server should know of.
      #expect(peer.requests[1].head.value(of: "grpc-previous-rpc-attempts") == nil)
      await channel.close()
    }
  }

  @Test("A call that is refused twice is unavailable")
  func refusedTwice() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .reset(.refusedStream) }
      let channel = try fixture.channel(to: peer)
      let error = await #expect(throws: ServiceError.self) { try await channel.call(method) }
      #expect(error?.code == .unavailable)
      #expect(peer.requests.count == 2)
      await channel.close()
    }
  }

  @Test("A call above the last stream of a GOAWAY goes to another connection")
  func aboveGoAway() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { $0.number == 2 ? .goAwayBefore : .reply([7]) }
      let channel = try fixture.channel(to: peer)
      _ = try await channel.call(method)
      let reply = try await channel.call(method)
      #expect(reply == [7])
      #expect(peer.requests.count == 3)
      #expect(peer.connections == 2)
      await channel.close()
    }
  }

  @Test("Calls that never left for a lost connection are sent on the next, all of them")
  func neverSent() async throws {
    try await ClientFixture.run { fixture in
      // One stream at a time: the other calls wait here when the connection is cut.
      let peer = try await fixture.peer(maxConcurrentStreams: 1) {
        $0.connections == 1 && $0.number > 1 ? .drop : .reply([7])
      }
      let channel = try fixture.channel(to: peer)
      _ = try await channel.call(method)
      let failures = await withTaskGroup(of: StatusCode?.self) { group in
        for _ in 0..<20 {
          group.addTask {
            do {
              return try await channel.call(method) == [7] ? nil : .unknown
            } catch {
              return ServiceError.wrapping(error).code
            }
          }
        }
        return await group.reduce(into: [StatusCode]()) { if let code = $1 { $0.append(code) } }
      }
      // The one that was cut may have been processed; it is not repeated.
      #expect(failures == [.unavailable])
      #expect(peer.requests.count == 1 + 1 + 19)
      await channel.close()
    }
  }

  @Test("A connection cut in the middle of a call is not repeated where that could do harm")
  func cutMidCall() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .drop }
      let channel = try fixture.channel(to: peer)
      let error = await #expect(throws: ServiceError.self) { try await channel.call(method) }
      #expect(error?.code == .unavailable)
      #expect(peer.requests.count == 1)
      await channel.close()
    }
  }
}
