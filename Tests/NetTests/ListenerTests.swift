import EventLoop
import Foundation
import Synchronization
import Testing

@testable import Net

@Suite("Listener") struct ListenerTests {
  private static func limits(all: Int = 10_000, address: Int = 10_000) -> ListenerLimits {
    var limits = ListenerLimits()
    limits.maxConnections = all
    limits.maxConnectionsPerAddress = address
    return limits
  }

  @Test(
    "A connection over a limit is closed, and one that ends makes room",
    arguments: [limits(all: 2), limits(address: 2)]
  )
  func caps(limits: ListenerLimits) async throws {
    try await NetFixture.run(limits: limits) { fixture in
      let first = try await fixture.connect()
      let server = try await fixture.next()
      let second = try await fixture.connect()
      _ = try await fixture.next()
      let third = try await fixture.connect()
      // Its TCP handshake is the kernel's; then comes the end.
      let refused = await third.first { $0 == .ended || $0 != .opened }
      #expect(refused != nil)
      for await event in second.events where event == .opened { break }
      for await event in first.events where event == .opened { break }
      first.perform { $0.close() }
      _ = await server.end()
      let fourth = try await fixture.connect()
      let served = try await fixture.next()
      served.send([7])
      let received = await fourth.first { $0 == .received([7]) }
      #expect(received != nil)
    }
  }

  @Test("Unix sockets carry bytes both ways, and leave the port of an address at 0")
  func unix() async throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).sock").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await NetFixture.run(on: Endpoint("unix:\(path)")) { fixture in
      let client = try await fixture.connect()
      let server = try await fixture.next()
      server.send([1, 2])
      let down = await client.first { $0 == .received([1, 2]) }
      client.send([3])
      let up = await server.first { $0 == .received([3]) }
      #expect(down != nil)
      #expect(up != nil)
      #expect(fixture.port == 0)
    }
  }

  @Test("An address that is taken is an error that says so")
  func taken() async throws {
    try await NetFixture.run { fixture in
      let endpoint = Endpoint.host("127.0.0.1", port: fixture.port)
      await #expect(throws: NetError.self) {
        try await NetFixture.run(on: endpoint) { _ in }
      }
    }
  }
}

/// What the kernel says of the sockets of this process that belong to one listener.
private struct SocketOptions: Equatable {
  var noDelay: Int32
  var userTimeout: Int32
  var unsentBytes: Int32

  /// Of connections that were accepted on `port`, or of those that lead to it.
  static func of(connectionsAt port: UInt16, isAccepted: Bool) -> [SocketOptions] {
    (0..<Int32(getdtablesize())).compactMap { descriptor in
      guard let ports = ports(descriptor), ports.peer != 0,
        (isAccepted ? ports.own : ports.peer) == port
      else { return nil }
      return SocketOptions(
        noDelay: option(TCP_NODELAY, of: descriptor),
        userTimeout: option(TCP_USER_TIMEOUT, of: descriptor),
        unsentBytes: option(TCP_NOTSENT_LOWAT, of: descriptor)
      )
    }
  }

  private static func option(_ name: Int32, of descriptor: Int32) -> Int32 {
    var value: Int32 = -1
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, Int32(IPPROTO_TCP), name, &value, &size)
    return value
  }

  /// The ports of both ends of an IPv4 connection; nil for every other descriptor.
  private static func ports(_ descriptor: Int32) -> (own: UInt16, peer: UInt16)? {
    guard let own = port(descriptor, getsockname), let peer = port(descriptor, getpeername) else {
      return nil
    }
    return (own, peer)
  }

  private static func port(
    _ descriptor: Int32,
    _ name: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) -> UInt16? {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name(descriptor, $0, &size) }
    }
    guard code == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
    return UInt16(bigEndian: address.sin_port)
  }
}

@Suite("Socket options") struct SocketOptionTests {
  private static let defaults = SocketOptions(
    noDelay: 1,
    userTimeout: 30_000,
    unsentBytes: 128 * 1_024
  )

  @Test("Accepted connections and those of clients have what the documentation names")
  func documented() async throws {
    try await NetFixture.run { fixture in
      let client = try await fixture.connect()
      let server = try await fixture.next()
      for await event in server.events where event == .opened { break }
      for await event in client.events where event == .opened { break }
      let accepted = SocketOptions.of(connectionsAt: fixture.port, isAccepted: true)
      let connected = SocketOptions.of(connectionsAt: fixture.port, isAccepted: false)
      #expect(accepted == [Self.defaults])
      #expect(connected == [Self.defaults])
    }
  }

  @Test("The kernel waits for a peer at least as long as the stall time that was set")
  func followsStallTime() async throws {
    var limits = TransportLimits()
    limits.writeStallTimeout = .seconds(300)
    limits.unsentBytes = 50_000
    try await NetFixture.run(transportLimits: limits) { fixture in
      _ = try await fixture.connect()
      let server = try await fixture.next()
      for await event in server.events where event == .opened { break }
      let accepted = SocketOptions.of(connectionsAt: fixture.port, isAccepted: true)
      #expect(accepted == [SocketOptions(noDelay: 1, userTimeout: 300_000, unsentBytes: 50_000)])
    }
  }
}

@Suite("Acceptor") struct AcceptorTests {
  @Test("A connection that waits in the kernel when a listener stops is still accepted")
  func acceptsAtTheEnd() async throws {
    let group = try EventLoopGroup(count: 1)
    let loop = group.loops[0]
    let address = try #require(
      try await Endpoint.host("127.0.0.1", port: 0).resolve(on: loop).first
    )
    let socket = try Socket.listen(on: address, reusePort: false, backlog: 16)
    let port = Self.port(of: socket.descriptor)
    let accepted = Mutex(0)
    let limits = ListenerLimits()
    let acceptor = Acceptor(
      loop: loop,
      socket: socket,
      loops: group.loops,
      targets: group.loops.indices,
      census: ConnectionCensus(limits: limits, loops: 1),
      limits: limits
    ) { descriptor, _, _ in
      close(descriptor)
      accepted.withLock { $0 += 1 }
    }
    await acceptor.start()
    let isConnected = await withCheckedContinuation { done in
      // In one turn of the loop: it cannot look at its sockets between the two.
      loop.submit {
        let isConnected = Self.connect(to: port)
        acceptor.assumeIsolated { $0.stop() }
        done.resume(returning: isConnected)
      }
    }
    #expect(isConnected)
    let count = accepted.withLock { $0 }
    #expect(count == 1)
    group.stop()
  }

  private static func port(of descriptor: Int32) -> UInt16 {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(descriptor, $0, &size)
      }
    }
    return UInt16(bigEndian: address.sin_port)
  }

  /// The handshake is the kernel's; nobody needs to accept.
  private static func connect(to port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }
}

@Suite("Transport") struct TransportTests {
  /// More than both kernel buffers hold.
  private static let plenty = [UInt8](repeating: 1, count: 1 << 20)

  private static func limits(_ change: (inout TransportLimits) -> Void) -> TransportLimits {
    var limits = TransportLimits()
    change(&limits)
    return limits
  }

  @Test("A peer that takes nothing is given up after the stall time")
  func writeStall() async throws {
    let limits = Self.limits { $0.writeStallTimeout = .milliseconds(50) }
    try await NetFixture.run(transportLimits: limits) { fixture in
      let client = try await fixture.connect()
      let server = try await fixture.next()
      for await event in client.events where event == .opened { break }
      client.perform { $0.pauseReading() }
      server.send(Self.plenty, isEndless: true)
      let reason = await server.end()
      #expect(reason == "timeout: the peer reads nothing")
    }
  }

  @Test("The farewell of an ended connection waits for a peer that reads nothing only for a while")
  func farewell() async throws {
    let limits = Self.limits { $0.writeStallTimeout = .seconds(3_600) }
    try await NetFixture.run(transportLimits: limits) { fixture in
      let client = try await fixture.connect()
      let server = try await fixture.next()
      for await event in client.events where event == .opened { break }
      client.perform { $0.pauseReading() }
      server.send(Self.plenty, isEndless: true)
      server.perform { $0.closeAfterFlush(within: .milliseconds(50)) }
      let reason = await server.end()
      #expect(reason == nil)
    }
  }

  @Test("A client that does not shake hands is given up after the handshake time")
  func handshake() async throws {
    let limits = Self.limits { $0.handshakeTimeout = .milliseconds(50) }
    let tls = try Certificates.mutual(.server, "jobs")
    try await NetFixture.run(tls: tls, transportLimits: limits) { fixture in
      // In clear text: it connects and says nothing.
      let client = try await fixture.connect()
      let server = try await fixture.next()
      let reason = await server.end()
      #expect(reason == "timeout: TLS handshake")
      let seen = await client.first { $0 == .ended }
      #expect(seen != nil)
    }
  }
}
