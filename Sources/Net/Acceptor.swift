internal import CSockets
internal import EventLoop
internal import Synchronization

/// One listening socket on one loop.
actor Acceptor {
  typealias Begin = @Sendable (_ descriptor: Int32, _ peer: SocketAddress, _ loop: Int) -> Void

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private var socket: Socket?
  private let loops: [EventLoop]
  /// Those of the loops that connections are handed to.
  private let targets: Range<Int>
  private let census: ConnectionCensus
  private let limits: ListenerLimits
  private let begin: Begin
  private var watcher: FDWatcher?
  private var pause: LoopTimer?

  /// Connections taken in one turn before the open ones have theirs.
  private static let maxAcceptsPerTurn = 64

  init(
    loop: EventLoop,
    socket: consuming Socket,
    loops: [EventLoop],
    targets: Range<Int>,
    census: ConnectionCensus,
    limits: ListenerLimits,
    begin: @escaping Begin
  ) {
    self.loop = loop
    self.socket = consume socket
    self.loops = loops
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
    // The kernel would reset them, with what their clients may have sent by now.
    acceptWaiting()
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
    guard let target = census.admit(peer, to: targets) else {
      csockets_close(descriptor)
      return
    }
    guard loops[target] !== loop else { return begin(descriptor, peer, target) }
    loops[target].submit { [begin] in begin(descriptor, peer, target) }
  }

  /// Out of descriptors: the kernel would report the waiting connection again and again.
  private func rest() {
    watcher?.update([])
    pause = loop.schedule(after: limits.exhaustionPause) { [self] in
      assumeIsolated { $0.watcher?.update(.readable) }
    }
  }
}

/// Counts open connections, in all, by address and by loop.
final class ConnectionCensus: Sendable {
  private struct Counts {
    var total = 0
    var byAddress: [[UInt8]: Int] = [:]
    var byLoop: [Int]
    var turn = 0

    /// The loop with the fewest connections, in turn among equals.
    mutating func freest(of targets: Range<Int>) -> Int {
      turn += 1
      let inTurn = (0..<targets.count).map { targets.lowerBound + ($0 + turn) % targets.count }
      return inTurn.min { byLoop[$0] < byLoop[$1] } ?? targets.lowerBound
    }
  }

  private let limits: ListenerLimits
  private let counts: Mutex<Counts>

  init(limits: ListenerLimits, loops: Int) {
    self.limits = limits
    counts = Mutex(Counts(byLoop: Array(repeating: 0, count: loops)))
  }

  /// Counts one connection in.
  ///
  /// - Returns: The loop that it shall live on; nil when there are too many.
  func admit(_ peer: SocketAddress, to targets: Range<Int>) -> Int? {
    counts.withLock { counts in
      let key = peer.networkKey
      let same = counts.byAddress[key, default: 0]
      guard counts.total < limits.maxConnections, same < limits.maxConnectionsPerAddress else {
        return nil
      }
      let loop = counts.freest(of: targets)
      counts.total += 1
      counts.byAddress[key] = same + 1
      counts.byLoop[loop] += 1
      return loop
    }
  }

  func release(_ peer: SocketAddress, from loop: Int) {
    counts.withLock { counts in
      let key = peer.networkKey
      counts.total -= 1
      counts.byLoop[loop] -= 1
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
