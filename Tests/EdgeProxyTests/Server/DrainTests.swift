import Foundation
import Testing

@testable import EdgeProxy

@Suite("The edge's leave") struct DrainTests {
  private static func options(grace: Duration) -> EdgeFixture.Options {
    var options = EdgeFixture.Options()
    options.limits.drainGrace = grace
    return options
  }

  @Test("A kept connection serves every request until an answer says that it ends")
  func keptConnection() async throws {
    try await EdgeFixture.run(Self.options(grace: .seconds(3_600))) { edge in
      let socket = try KeptSocket(edge.port)
      let request = Array("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".utf8)
      socket.send(request)
      let first = RawResponse(await socket.receive())
      #expect(first.status == 200)
      #expect(first.headers["connection"] == nil)
      async let drained: Void = edge.edge.drain(within: .seconds(3_600))
      while true {
        socket.send(request)
        let reply = RawResponse(await socket.receive())
        try #require(reply.status == 200, "a request was lost")
        if reply.headers["connection"] == "close" { break }
      }
      let end = await socket.receive()
      #expect(end.isEmpty)
      await drained
    }
  }

  @Test("A connection that asks for nothing ends after the grace")
  func idleConnections() async throws {
    try await EdgeFixture.run(Self.options(grace: .milliseconds(10))) { edge in
      let used = try KeptSocket(edge.port)
      used.send(Array("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".utf8))
      let reply = RawResponse(await used.receive())
      #expect(reply.status == 200)
      let silent = try KeptSocket(edge.port)
      async let drained: Void = edge.edge.drain(within: .seconds(3_600))
      let ends = [await used.receive(), await silent.receive()]
      #expect(ends == [[], []])
      await drained
    }
  }

  @Test("Over HTTP/2 a request on its way is served, and later ones are refused by their number")
  func http2() async throws {
    try await EdgeFixture.run(Self.options(grace: .seconds(3_600))) { edge in
      let socket = try KeptSocket(edge.port)
      var frames = FrameReader(socket)
      // GET http x /healthz, in HPACK.
      let head: [UInt8] = [0x82, 0x86, 0x01, 1, 0x78, 0x04, 8] + Array("/healthz".utf8)
      socket.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + FrameReader.frame(4, 0, 0, []))
      socket.send(FrameReader.frame(1, 5, 1, head))
      let first = await frames.next(1)
      #expect(first?.stream == 1)
      async let drained: Void = edge.edge.drain(within: .seconds(3_600))
      let announced = await frames.next(7)
      #expect(announced?.lastStream == UInt32(Int32.max))
      let ping = await frames.next(6)
      socket.send(FrameReader.frame(1, 5, 3, head))
      let second = await frames.next(1)
      #expect(second?.stream == 3)
      socket.send(FrameReader.frame(6, 1, 0, ping?.payload ?? []))
      let final = await frames.next(7)
      #expect(final?.lastStream == 3)
      let nothing = await frames.next(1)
      #expect(nothing == nil)
      await drained
    }
  }
}
