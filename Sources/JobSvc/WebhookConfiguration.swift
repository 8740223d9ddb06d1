internal import HTTPClient
internal import ServiceKit

/// The keys of outgoing webhooks.
struct WebhookConfiguration: Sendable {
  private static let secret = ConfigKey(
    "HMAC_SECRET",
    "Secret from which the keys of webhooks are derived, 32 bytes or more.",
    isSecret: true
  )
  private static let previousSecret = ConfigKey(
    "HMAC_SECRET_PREVIOUS",
    "The secret before the current one, which signs as well while receivers change their key.",
    isSecret: true
  )
  private static let timeout = ConfigKey(
    "WEBHOOK_TIMEOUT_SECONDS",
    "Time for one attempt, answer included, 1 to 30.",
    default: "10"
  )
  private static let retryDelays = ConfigKey(
    "WEBHOOK_RETRY_DELAYS",
    "Seconds before the second, third, … attempt; after the last one the webhook is dead.",
    default: "60,300,1800,7200"
  )
  private static let concurrency = ConfigKey(
    "WEBHOOK_CONCURRENCY",
    "Webhooks that this process sends at once.",
    default: "32"
  )
  private static let originConcurrency = ConfigKey(
    "WEBHOOK_HOST_CONCURRENCY",
    "Webhooks under way to one host at once, from all processes.",
    default: "1"
  )
  private static let userConcurrency = ConfigKey(
    "WEBHOOK_USER_CONCURRENCY",
    "Webhooks of one user under way at once, from all processes.",
    default: "4"
  )
  private static let developmentEndpoints = ConfigKey(
    "WEBHOOK_DEVELOPMENT_ENDPOINTS",
    "address:port, … of private receivers that may be reached, by http, too; development only."
  )

  static let keys = [
    secret, previousSecret, timeout, retryDelays, concurrency, originConcurrency, userConcurrency,
    developmentEndpoints,
  ]

  let signing: WebhookKeys
  let urls: WebhookURLRule
  let timeout: Duration
  let retries: WebhookRetryRule
  /// Sent at once by this process.
  let concurrency: Int
  let limits: WebhookStore.Limits

  init(_ reader: inout ConfigurationReader) {
    let secret = reader.string(Self.secret)
    let previous = reader.optionalString(Self.previousSecret)
    for (key, text) in [(Self.secret, secret), (Self.previousSecret, previous ?? "")]
    where !text.isEmpty && text.utf8.count < WebhookKeys.minimumBytes {
      reader.problem(key, "must have at least \(WebhookKeys.minimumBytes) bytes")
    }
    signing = WebhookKeys(secret: secret, previous: previous)
    timeout = reader.seconds(Self.timeout, in: 1...30)
    let delays = reader.ints(Self.retryDelays, in: 0...604_800)
    if delays.count > 20 { reader.problem(Self.retryDelays, "at most 20 delays") }
    retries = WebhookRetryRule(delays: delays.map { .seconds($0) })
    concurrency = reader.int(Self.concurrency, in: 1...1_024)
    limits = WebhookStore.Limits(
      perOrigin: Int32(reader.int(Self.originConcurrency, in: 1...1_024)),
      perUser: Int32(reader.int(Self.userConcurrency, in: 1...1_024))
    )
    urls = WebhookURLRule(exceptions: Self.exceptions(&reader))
  }

  private static func exceptions(_ reader: inout ConfigurationReader) -> Set<HTTPEndpoint> {
    let texts = reader.list(developmentEndpoints)
    if !texts.isEmpty, reader.optionalString(.environment) == "production" {
      reader.problem(developmentEndpoints, "has no place in production")
    }
    var endpoints: Set<HTTPEndpoint> = []
    for text in texts {
      guard let target = try? HTTPTarget("http://\(text)/"), let address = target.address else {
        reader.problem(developmentEndpoints, "expected address:port, not '\(text)'")
        continue
      }
      endpoints.insert(HTTPEndpoint(address: address, port: target.port))
    }
    return endpoints
  }
}
