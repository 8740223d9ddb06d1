internal import EventLoop
internal import Logging
internal import Net
internal import ServiceKit

/// The public listeners and the shards behind them.
final class EdgeServer: DrainableServer {
  /// Where one listener listens.
  struct Binding: Sendable {
    let endpoint: Endpoint
    let tls: TLSContext?
  }

  let name = "edge"
  private let bindings: [Binding]
  private let core: EdgeCore
  private let group: EventLoopGroup
  private let state = EdgeServerState()

  init(_ bindings: [Binding], core: EdgeCore, group: EventLoopGroup) {
    self.bindings = bindings
    self.core = core
    self.group = group
  }

  /// Addresses in use, in the order of the bindings.
  var addresses: [SocketAddress] {
    get async { await state.listeners.map(\.address) }
  }

  func start() async throws {
    var shards: [ObjectIdentifier: EdgeShard] = [:]
    for loop in group.loops {
      shards[ObjectIdentifier(loop)] = try await Self.makeShard(on: loop, core)
    }
    await state.set(Array(shards.values))
    var limits = ListenerLimits()
    limits.maxConnections = core.limits.connections
    limits.maxConnectionsPerAddress = core.limits.connectionsPerAddress
    var transport = TransportLimits()
    transport.writeStallTimeout = core.limits.writeStall
    for binding in bindings {
      let listener = try await Listener.start(
        on: binding.endpoint,
        group: group,
        distribution: .reusePort,
        tls: binding.tls,
        limits: limits,
        transportLimits: transport
      ) { [shards] loop, _ in
        guard let shard = shards[ObjectIdentifier(loop)] else {
          preconditionFailure("a connection on a loop of another group")
        }
        return ConnectionStarter(shard: shard)
      }
      await state.add(listener)
      core.logger.info("listening", metadata: ["address": "\(listener.address)"])
    }
  }

  private static func makeShard(on loop: EventLoop, _ core: EdgeCore) async throws -> EdgeShard {
    try await withTaskExecutorPreference(loop) { try await EdgeShard(loop: loop, core: core) }
  }

  func drain(within limit: Duration) async {
    for listener in await state.listeners { await listener.stop() }
    await withTaskGroup(of: Void.self) { group in
      for shard in await state.shards {
        group.addTask(executorPreference: shard.loop) { await shard.drain(within: limit) }
      }
    }
  }
}

/// What a server has started.
private actor EdgeServerState {
  private(set) var listeners: [Listener] = []
  private(set) var shards: [EdgeShard] = []

  func set(_ shards: [EdgeShard]) { self.shards = shards }
  func add(_ listener: Listener) { listeners.append(listener) }
}
