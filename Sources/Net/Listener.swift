internal import CSockets
package import EventLoop
internal import Synchronization

/// How many connections a listener admits.
package struct ListenerLimits: Sendable {
  /// Open connections in all; further ones are closed at once.
  package var maxConnections = 10_000
  /// Open connections from one address (IPv6: one /64); Unix sockets count as one address.
  package var maxConnectionsPerAddress = 10_000
  /// Connections that the kernel keeps ready.
  package var backlog: Int32 = 1_024
  /// Pause after the process ran out of descriptors.
  package var exhaustionPause: Duration = .milliseconds(100)

  package init() {}
}

/// Accepts connections and starts a transport for each on one of the loops.
package final class Listener: Sendable {
  /// How connections find their loop.
  package enum Distribution: Sendable {
    /// The kernel chooses: one listening socket a loop. Best for many short connections.
    case reusePort
    /// Each goes to the loop that has the fewest: right for few long-lived connections, of which hashing
    /// would leave several on one loop and none on another.
    case leastConnections
  }

  /// Makes the owner of a new connection; called on the connection's loop.
  package typealias MakeDelegate =
    @Sendable (_ loop: EventLoop, _ peer: SocketAddress) -> any TransportDelegate

  /// The address in use, with the port that the kernel chose if 0 was asked for.
  package let address: SocketAddress
  private let acceptors: [Acceptor]

  /// Starts to listen on the first address of `endpoint`.
  ///
  /// - Parameters:
  ///   - endpoint: Where; port 0 lets the kernel choose.
  ///   - group: The loops that connections live on.
  ///   - distribution: How connections find their loop.
  ///   - tls: Nil for clear text.
  ///   - limits: How many connections are admitted.
  ///   - transportLimits: Time limits of each connection.
  ///   - makeDelegate: Makes the owner of a new connection.
  /// - Returns: The listener, which listens already.
  /// - Throws: ``NetError`` when the address is taken or not ours.
  package static func start(
    on endpoint: Endpoint,
    group: EventLoopGroup,
    distribution: Distribution,
    tls: TLSContext? = nil,
    limits: ListenerLimits = ListenerLimits(),
    transportLimits: TransportLimits = TransportLimits(),
    makeDelegate: @escaping MakeDelegate
  ) async throws(NetError) -> Listener {
    var address: SocketAddress
    do {
      guard let first = try await endpoint.resolve(on: group.next()).first else {
        throw NetError.badAddress(endpoint.description)
      }
      address = first
    } catch let error as NetError {
      throw error
    } catch {
      throw .system(call: "resolve \(endpoint)", message: "\(error)")
    }
    let census = ConnectionCensus(limits: limits, loops: group.loops.count)
    let owners = distribution == .reusePort && !address.isUnix ? group.loops : [group.loops[0]]
    var acceptors: [Acceptor] = []
    for (index, loop) in owners.enumerated() {
      let socket = try Socket.listen(
        on: address,
        reusePort: owners.count > 1,
        backlog: limits.backlog
      )
      let port = csockets_bound_port(socket.descriptor)
      if address.port == 0, port > 0 {
        address = address.with(port: UInt16(truncatingIfNeeded: port))
      }
      let acceptor = Acceptor(
        loop: loop,
        socket: socket,
        loops: group.loops,
        targets: owners.count > 1 ? index..<index + 1 : group.loops.indices,
        census: census,
        limits: limits
      ) { descriptor, peer, target in
        let release = { census.release(peer, from: target) }
        let loop = group.loops[target]
        Self.begin(descriptor, peer, on: loop, tls, transportLimits, release, makeDelegate)
      }
      acceptors.append(acceptor)
    }
    for acceptor in acceptors { await acceptor.start() }
    return Listener(address: address, acceptors: acceptors)
  }

  private init(address: SocketAddress, acceptors: [Acceptor]) {
    self.address = address
    self.acceptors = acceptors
  }

  /// Accepts no more; open connections go on.
  package func stop() async {
    for acceptor in acceptors { await acceptor.stop() }
  }

  private static func begin(
    _ descriptor: Int32,
    _ peer: SocketAddress,
    on loop: EventLoop,
    _ tls: TLSContext?,
    _ limits: TransportLimits,
    _ release: @escaping () -> Void,
    _ makeDelegate: MakeDelegate
  ) {
    let delegate = CountedDelegate(makeDelegate(loop, peer), release: release)
    do {
      let transport = try Transport(
        takingOwnership: Socket(takingOwnership: descriptor),
        peer: peer,
        isConnecting: false,
        loop: loop,
        limits: limits,
        tls: tls,
        serverName: nil,
        delegate: delegate
      )
      transport.start()
    } catch {
      release()
    }
  }
}

/// Passes everything on and counts the connection out at its end.
private final class CountedDelegate: TransportDelegate {
  private let target: any TransportDelegate
  private let release: () -> Void

  init(_ target: any TransportDelegate, release: @escaping () -> Void) {
    self.target = target
    self.release = release
  }

  func transportDidOpen(_ transport: Transport) { target.transportDidOpen(transport) }
  func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {
    target.transport(transport, didReceive: bytes)
  }
  func transportDidReceiveEOF(_ transport: Transport) {
    target.transportDidReceiveEOF(transport)
  }
  func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {
    target.transport(transport, fill: &buffer)
  }
  func transportDidClose(_ transport: Transport, error: NetError?) {
    release()
    target.transportDidClose(transport, error: error)
  }
}
