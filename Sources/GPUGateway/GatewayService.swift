internal import Logging
internal import OneShotAPI

/// What the RPCs of `oneshot.gpu.v1.GPUGatewayService` share.
///
/// Each RPC is a file in `Handlers`.
struct GatewayService: Gpu.GPUGatewayServiceHandler {
  let runs: RunRegistry
  let providers: ProviderRegistry
  let cache: ResultCache
  let logger: Logger
}
