package import EventLoop
package import Net

/// Finds the addresses behind an endpoint; tests replace the loop's own look-up.
package typealias NameResolution =
  @Sendable (_ endpoint: Endpoint, _ loop: EventLoop) async throws -> [SocketAddress]

extension Channel {
  /// What a channel needs to know.
  package struct Configuration: Sendable {
    /// Addresses of the service's processes.
    package var endpoints: [Endpoint]
    /// Nil: clear text, for tests and benchmarks.
    package var tls: TLSContext?
    /// Name required in the server's certificate.
    package var serverName: String
    package var limits = RPCLimits()
    package var interceptors: [any ClientInterceptor] = []
    /// Counts attempts: retries, hedges, and those that were not made; nil: nobody asks.
    package var attemptMetrics: (any AttemptMetrics)?
    /// What the service's owner asks of clients: deadlines, retries, balancing, health checks.
    package var serviceConfig = ServiceConfig()
    /// Bytes of requests that a call keeps to send them again; a longer request is sent once.
    package var maxReplayBytes = 256 * 1_024
    /// How calls are spread over the addresses, where the service config does not say.
    package var loadBalancing = LoadBalancingPolicy.roundRobin
    /// Pauses between attempts to connect, and between look-ups that fail.
    package var backoff = ExponentialBackoff()
    /// Time for one attempt to connect, up to the peer's SETTINGS.
    package var connectTimeout: Duration = .seconds(20)
    /// When a silent peer is asked for a sign of life; nil, gRPC's default: never.
    package var keepalive: KeepaliveSettings?
    /// How long a call that does not wait for ready still waits when every address has failed, so
    /// that a restart is not an error; gRPC's own fail-fast is zero.
    package var patience: Duration = .seconds(2)
    /// Calls of one loop that wait for a connection; further ones fail.
    package var maxWaitingCalls = 10_000
    /// Time between two look-ups of the names.
    package var minResolutionInterval: Duration = .seconds(30)
    /// Looks names up.
    package var resolve: NameResolution = { try await $0.resolve(on: $1) }
    /// 0…1, for every jitter.
    package var random: @Sendable () -> Double = { Double.random(in: 0...1) }

    /// Names the processes of one service.
    ///
    /// - Parameters:
    ///   - target: One or more `host:port` or `unix:/path`, separated by commas.
    ///   - serverName: Name required in the server's certificate.
    ///   - tls: Nil for clear text.
    /// - Throws: ``NetError/badAddress(_:)``.
    package init(target: String, serverName: String, tls: TLSContext?) throws(NetError) {
      var endpoints: [Endpoint] = []
      for part in target.split(separator: ",") { endpoints.append(try Endpoint(String(part))) }
      guard !endpoints.isEmpty else { throw .badAddress(target) }
      self.endpoints = endpoints
      self.serverName = serverName
      self.tls = tls
    }
  }
}
