internal import OneShotAPI
internal import RPC

extension GatewayService {
  /// The configured providers and their health, asked now.
  func listProviders(
    _ request: Gpu.ListProvidersRequest,
    context: ServerContext
  ) async throws -> Gpu.ListProvidersResponse {
    let statuses = await providers.checkAll()
    return .with {
      $0.providers = statuses.map { status in
        .with {
          $0.name = status.provider.name
          $0.healthy = status.isHealthy
          $0.jobTypes = status.provider.pipelines.map(\.rawValue).sorted()
          $0.running = Int32(status.running)
          $0.capacity = Int32(status.provider.capacity)
          $0.consecutiveFailures = Int32(status.consecutiveFailures)
          $0.checkDurationMs =
            Double(status.checkDuration.components.seconds) * 1_000
            + Double(status.checkDuration.components.attoseconds) / 1e15
        }
      }
    }
  }
}
