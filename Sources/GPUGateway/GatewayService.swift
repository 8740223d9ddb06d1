internal import Logging
internal import OneShotAPI

/// `oneshot.gpu.v1.GPUGatewayService`: what its RPCs share. Each RPC is a file in `Handlers`.
struct GatewayService: Gpu.GPUGatewayServiceHandler {
  let runs: RunRegistry
  let providers: ProviderRegistry
  let logger: Logger
}
