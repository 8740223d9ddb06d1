internal import ServiceKit

/// What JobSvc reads beside the common keys.
struct JobConfiguration: ServiceConfiguration {
  private static let uploadSeconds = ConfigKey(
    "UPLOAD_URL_SECONDS",
    "Life of a signed upload address.",
    default: "3600"
  )
  private static let downloadSeconds = ConfigKey(
    "DOWNLOAD_URL_SECONDS",
    "Life of a signed download address.",
    default: "900"
  )
  private static let leaseSeconds = ConfigKey(
    "LEASE_SECONDS",
    "A job that its process has not renewed for so long is taken back.",
    default: "30"
  )
  private static let retryDelays = ConfigKey(
    "RETRY_DELAYS",
    "Seconds before the second, third, … attempt.",
    default: "15,60"
  )
  private static let concurrency = ConfigKey(
    "WORKER_CONCURRENCY",
    "Jobs that this process runs at once.",
    default: "4"
  )
  private static let maxInput = ConfigKey(
    "MAX_INPUT_MB",
    "Largest upload in MiB, 1 to 20.",
    default: "20"
  )

  static let keys =
    [uploadSeconds, downloadSeconds, leaseSeconds, retryDelays, concurrency, maxInput]
    + WebhookConfiguration.keys + StoreConfiguration.keys
  static let needs: ServiceNeeds = [.postgres, .redis, .rpcServer, .faultPoints]
  static let peers: [ServiceName] = [.billing, .gpu]

  let uploadLifetime: Duration
  let downloadLifetime: Duration
  let lease: Duration
  let retries: RetryRule
  let concurrency: Int
  let maxInputBytes: Int64
  let webhooks: WebhookConfiguration
  let store: StoreConfiguration

  init(_ reader: inout ConfigurationReader) {
    uploadLifetime = reader.seconds(Self.uploadSeconds, in: 1...86_400)
    downloadLifetime = reader.seconds(Self.downloadSeconds, in: 1...86_400)
    lease = reader.seconds(Self.leaseSeconds, in: 1...3_600)
    let delays = reader.ints(Self.retryDelays, in: 0...86_400)
    if delays.count > 9 { reader.problem(Self.retryDelays, "at most 9 delays") }
    retries = RetryRule(delays: delays.map { .seconds($0) })
    concurrency = reader.int(Self.concurrency, in: 1...1_024)
    maxInputBytes = Int64(reader.int(Self.maxInput, in: 1...20)) * 1_024 * 1_024
    webhooks = WebhookConfiguration(&reader)
    store = StoreConfiguration(&reader)
  }
}
