package import RPC

/// What a service is made of; ServiceKit runs the parts.
package struct ServiceParts: Sendable {
  /// What the RPC server answers; nil for a service without one.
  package var registry: MethodRegistry?
  /// Further servers, such as the edge's public listeners.
  package var servers: [any DrainableServer]
  /// Background loops.
  package var workers: [any Worker]
  /// Checks for `/readyz` beside the database and Redis, which are there already.
  package var checks: [HealthCheck]

  /// Lists the parts.
  package init(
    registry: MethodRegistry? = nil,
    servers: [any DrainableServer] = [],
    workers: [any Worker] = [],
    checks: [HealthCheck] = []
  ) {
    self.registry = registry
    self.servers = servers
    self.workers = workers
    self.checks = checks
  }
}

/// Something that listens.
package protocol DrainableServer: Sendable {
  /// Name for logs.
  var name: String { get }
  /// Begins to accept; returns once it does.
  func start() async throws
  /// Accepts nothing new and returns when running work has ended, at the latest after `limit`.
  func drain(within limit: Duration) async
}
