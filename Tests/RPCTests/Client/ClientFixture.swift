import EventLoop
import Net
import Synchronization

@testable import RPC

/// Channels on one loop, to peers that a test has made.
struct ClientFixture {
  private static let fixtures = Counter()

  let group: EventLoopGroup
  /// Loopback has many addresses: with one a test, a port that a peer gives up is not taken by the
  /// peer of another test that runs meanwhile.
  private let host: String
  private let peers = Peers()

  private final class Peers: Sendable {
    let all = Mutex<[ScriptedPeer]>([])
  }

  /// Runs `body`; its peers and the loop are stopped afterwards.
  static func run(_ body: (ClientFixture) async throws -> Void) async throws {
    let group = try EventLoopGroup(count: 1)
    let number = fixtures.increment()
    let host = "127.1.\(number / 250).\(number % 250 + 1)"
    let fixture = ClientFixture(group: group, host: host)
    let result: Result<Void, any Error>
    do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
    for peer in fixture.peers.all.withLock({ $0 }) { await peer.stop() }
    group.stop()
    try result.get()
  }

  /// A peer that answers each request as its script says.
  func peer(
    maxConcurrentStreams: UInt32 = 100,
    _ script: @escaping @Sendable (ScriptedPeer.Request) -> ScriptedPeer.Answer
  ) async throws -> ScriptedPeer {
    let peer = try await ScriptedPeer.start(
      group: group,
      endpoint: .host(host, port: 0),
      maxConcurrentStreams: maxConcurrentStreams,
      script: script
    )
    peers.all.withLock { $0.append(peer) }
    return peer
  }

  /// A channel that reconnects fast and fails fast, unless the test says otherwise.
  func channel(
    _ target: String,
    _ change: (inout Channel.Configuration) -> Void = { _ in }
  ) throws -> Channel {
    var configuration = try Channel.Configuration(target: target, serverName: "x", tls: nil)
    configuration.backoff = ExponentialBackoff(
      initial: .milliseconds(1),
      longest: .milliseconds(5)
    )
    configuration.patience = .zero
    change(&configuration)
    return Channel(configuration, group: group)
  }

  /// A channel to one peer.
  func channel(
    to peer: ScriptedPeer,
    _ change: (inout Channel.Configuration) -> Void = { _ in }
  ) throws -> Channel {
    try channel("\(peer.address)", change)
  }
}

extension Channel {
  // Untyped, since the macros of Swift Testing do not take typed errors.
  func call(
    _ method: MethodDescriptor,
    _ message: [UInt8] = [],
    _ options: CallOptions = .timeout(.seconds(20))
  ) async throws -> [UInt8] {
    try await unary(method, RPCFraming.frame(message), options: options)
  }
}
