internal import CSockets
internal import EventLoop
internal import Synchronization

/// One listening socket on one loop.
actor Acceptor {
  typealias Begin = @Sendable (_ descriptor: Int32, _ peer: SocketAddress, EventLoop) -> Void

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private var socket: Socket?
  private let targets: [EventLoop]
  private let census: ConnectionCensus
  private let limits: ListenerLimits
  private let begin: Begin
  private var watcher: FDWatcher?
  private var pause: LoopTimer?
  private var turn = 0

  /// Connections taken in one turn before the open ones have theirs.
  private static let maxAcceptsPerTurn = 64

  init(
    loop: EventLoop,
    socket: consuming Socket,
    targets: [EventLoop],
    census: ConnectionCensus,
    limits: ListenerLimits,
    begin: @escaping Begin
  ) {
    self.loop = loop
    self.socket = consume socket
    self.targets = targets
    self.census = census
    self.limits = limits
    self.begin = begin
  }

  func start() {
    guard let descriptor = socket?.descriptor else { return }
    watcher = try? loop.watch(descriptor, for: .readable) { [self] _ in
      assumeIsolated { $0.acceptWaiting() }
    }
  }

  func stop() {
    pause?.cancel()
    watcher?.close()
    watcher = nil
    socket = nil
  }

  private func acceptWaiting() {
    for _ in 0..<Self.maxAcceptsPerTurn {
      guard let listening = socket?.descriptor else { return }
      var native = csockets_address()
      let descriptor = csockets_accept(listening, &native)
      if descriptor == CSOCKETS_AGAIN { return }
      if csockets_is_exhaustion(descriptor) != 0 { return rest() }
      // Every other error belongs to one connection that has gone already.
      guard descriptor >= 0 else { continue }
      hand(descriptor, from: native.socketAddress)
    }
  }

  private func hand(_ descriptor: Int32, from peer: SocketAddress) {
    guard census.admit(peer) else {
      csockets_close(descriptor)
      return
    }
    let target = targets[turn % targets.count]
    turn += 1
    guard target !== loop else { return begin(descriptor, peer, target) }
    target.submit { [begin] in begin(descriptor, peer, target) }
  }

  /// Out of descriptors: the kernel would report the waiting connection again and again.
  private func rest() {
    watcher?.update([])
    pause = loop.schedule(after: limits.exhaustionPause) { [self] in
      assumeIsolated { $0.watcher?.update(.readable) }
    }
  }
}

/// Counts open connections, in all and by address.
final class ConnectionCensus: Sendable {
  private struct Counts {
    var total = 0
    var byAddress: [[UInt8]: Int] = [:]
  }

  private let limits: ListenerLimits
  private let counts = Mutex(Counts())

  init(limits: ListenerLimits) {
    self.limits = limits
  }

  /// Counts one connection in, or says that there are too many.
  func admit(_ peer: SocketAddress) -> Bool {
    counts.withLock { counts in
      let key = peer.networkKey
      let same = counts.byAddress[key, default: 0]
      guard counts.total < limits.maxConnections, same < limits.maxConnectionsPerAddress else {
        return false
      }
      counts.total += 1
      counts.byAddress[key] = same + 1
      return true
    }
  }

  @Sendable func release(_ peer: SocketAddress) {
    counts.withLock { counts in
      let key = peer.networkKey
      counts.total -= 1
      let left = counts.byAddress[key, default: 1] - 1
      counts.byAddress[key] = left > 0 ? left : nil
    }
  }
}

extension SocketAddress {
  /// What counts as one peer: an IPv4 address, an IPv6 /64, or all of a Unix socket's users.
  var networkKey: [UInt8] {
    switch self {
    case .v4(let bytes, _): bytes
    case .v6(let bytes, _): Array(bytes.prefix(8))
    case .unix: []
    }
  }

  var isUnix: Bool {
    if case .unix = self { return true }
    return false
  }
}
