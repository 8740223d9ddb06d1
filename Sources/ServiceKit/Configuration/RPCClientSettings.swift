internal import RPC

/// How a service calls others: what operators may change, and what holds for all of our channels.
package struct RPCClientSettings: Sendable {
  static let keepaliveSeconds = ConfigKey(
    "RPC_KEEPALIVE_SECONDS",
    "A called service that is silent for this time is asked for a sign of life; 0 for never.",
    default: "10"
  )
  static let keepaliveTimeoutSeconds = ConfigKey(
    "RPC_KEEPALIVE_TIMEOUT_SECONDS",
    "Time to answer that; then the connection is given up, and its calls fail.",
    default: "9"
  )
  static let serviceConfigFile = ConfigKey(
    "RPC_SERVICE_CONFIG_FILE",
    "JSON file with gRPC's service config: deadlines, retries, hedging by service and method."
  )
  static let keys = [keepaliveSeconds, keepaliveTimeoutSeconds, serviceConfigFile]

  let keepalive: KeepaliveSettings?
  let serviceConfig: ServiceConfig

  /// Our peers are few and near: a restarted one is found again within its callers' patience.
  private static let backoff = ExponentialBackoff(initial: .milliseconds(50), longest: .seconds(1))

  /// What holds without a file: retries as each method's schema says, and only peers that say
  /// that they serve.
  static let standard: ServiceConfig = {
    var config = ServiceConfig()
    config.healthCheckService = ""
    return config
  }()

  init(_ reader: inout ConfigurationReader) {
    let time = reader.seconds(Self.keepaliveSeconds, in: 0...3600)
    var keepalive = KeepaliveSettings.services
    keepalive.time = time
    keepalive.timeout = reader.seconds(Self.keepaliveTimeoutSeconds, in: 1...600)
    self.keepalive = time > .zero ? keepalive : nil
    serviceConfig = Self.readServiceConfig(&reader)
  }

  private static func readServiceConfig(_ reader: inout ConfigurationReader) -> ServiceConfig {
    guard let text = reader.textOfFile(serviceConfigFile) else { return standard }
    do throws(ServiceConfigError) {
      var config = try ServiceConfig(json: text)
      if config.healthCheckService == nil {
        config.healthCheckService = standard.healthCheckService
      }
      return config
    } catch {
      reader.problem(serviceConfigFile, "\(error)")
      return standard
    }
  }

  func apply(to configuration: inout Channel.Configuration) {
    configuration.keepalive = keepalive
    configuration.serviceConfig = serviceConfig
    configuration.backoff = Self.backoff
  }
}
