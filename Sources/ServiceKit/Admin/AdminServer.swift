internal import EventLoop
internal import Net

/// The operators' HTTP port: `/healthz`, `/health`, `/readyz` and `/metrics`.
///
/// It opens before anything else starts and closes last, so that a probe sees every phase.
package final class AdminServer: Sendable {
  private let listener: Listener

  /// Connections at once: probes and scrapers are few.
  private static let maxConnections = 64

  private init(listener: Listener) {
    self.listener = listener
  }

  /// Starts to listen.
  static func start(
    on endpoint: Endpoint,
    group: EventLoopGroup,
    routes: AdminRoutes
  ) async throws -> AdminServer {
    var limits = ListenerLimits()
    limits.maxConnections = maxConnections
    let listener = try await Listener.start(
      on: endpoint,
      group: group,
      distribution: .leastConnections,
      limits: limits
    ) { loop, _ in AdminConnection(loop: loop, routes: routes) }
    return AdminServer(listener: listener)
  }

  /// The address in use, with the port that the kernel chose.
  var address: SocketAddress { listener.address }

  /// Accepts no more.
  func stop() async {
    await listener.stop()
  }
}
