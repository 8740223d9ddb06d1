internal import Logging
internal import ObjectStore
internal import OneShotAPI
internal import RPC
internal import ServiceKit

/// What the RPCs of `oneshot.jobs.v1.JobService` share.
///
/// Each RPC is a file in `Handlers`.
struct JobService: Sendable {
  let store: JobStore
  let uploads: UploadStore
  let webhooks: WebhookStore
  let erasures: ErasureStore
  let billing: Billing.BillingServiceClient
  let gateway: Gpu.GPUGatewayServiceClient
  let objects: any ObjectStore
  let relay: EventRelay
  let bell: QueueBell
  let settlements: WakeSignal
  let webhookWake: WakeSignal
  let estimates: DurationEstimates
  let addresses: InputAddressRule
  let webhookURLs: WebhookURLRule
  let ids: UUIDv7
  let drain: DrainSignal
  let settings: Settings
  let logger: Logger

  struct Settings: Sendable {
    /// Life of a signed download address.
    var downloadLifetime: Duration
    /// Jobs that this process runs at once; for estimates.
    var concurrency: Int
    var webhookKeys: WebhookKeys
  }
}

extension JobService: Jobs.JobServiceHandler {}
