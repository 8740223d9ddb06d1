internal import MediaProtocol
internal import ServiceKit

/// What GPUGateway reads beside the common keys.
struct GatewayConfiguration: ServiceConfiguration {
  /// A provider that can be configured.
  enum ProviderName: String, Sendable, CaseIterable {
    case embedded, simulator
  }

  private static let providers = ConfigKey(
    "PROVIDERS",
    "Providers in order of preference, commas: embedded, simulator."
  )
  private static let latency = ConfigKey(
    "SIMULATOR_LATENCY_MS",
    "Milliseconds that a simulated job takes.",
    default: "200"
  )
  private static let failureRate = ConfigKey(
    "SIMULATOR_FAILURE_RATE",
    "Share of simulated attempts that fail, 0 to 1.",
    default: "0"
  )
  private static let seed = ConfigKey(
    "SIMULATOR_SEED",
    "Seed of the simulator's dice.",
    default: "1"
  )
  private static let workerPath = ConfigKey(
    "MEDIA_WORKER_PATH",
    "The program that decodes pictures; needed by the embedded provider."
  )
  private static let workers = ConfigKey(
    "MEDIA_WORKERS",
    "Media workers at once.",
    default: "2"
  )
  private static let maxInput = ConfigKey(
    "MAX_INPUT_MB",
    "Largest input picture in MiB, 1 to 20.",
    default: "20"
  )
  private static let maxDimension = ConfigKey(
    "MAX_IMAGE_DIMENSION",
    "Longest side of an input picture in pixels.",
    default: "8192"
  )
  private static let minDimension = ConfigKey(
    "MIN_IMAGE_DIMENSION",
    "Shortest side of an input picture in pixels.",
    default: "64"
  )

  static let keys =
    [
      providers, latency, failureRate, seed, workerPath, workers, maxInput, maxDimension,
      minDimension,
    ] + StoreConfiguration.keys
  static let needs: ServiceNeeds = [.postgres, .rpcServer]
  static let peers: [ServiceName] = []

  let providers: [ProviderName]
  let simulator: SimulatorProvider.Settings
  let workerPath: String?
  let workers: Int
  let imageLimits: ImageLimits
  let store: StoreConfiguration

  init(_ reader: inout ConfigurationReader) {
    let names = reader.list(Self.providers)
    let known = names.compactMap(ProviderName.init(rawValue:))
    if known.isEmpty || known.count != names.count || Set(names).count != names.count {
      reader.problem(Self.providers, "expected embedded, simulator or both")
    }
    providers = known
    simulator = SimulatorProvider.Settings(
      latency: reader.milliseconds(Self.latency, in: 0...3_600_000),
      failureRate: reader.double(Self.failureRate, in: 0...1),
      seed: UInt64(reader.int(Self.seed, in: 0...Int.max))
    )
    workerPath = reader.optionalString(Self.workerPath)
    if known.contains(.embedded), workerPath == nil {
      reader.problem(Self.workerPath, "is required by the embedded provider")
    }
    workers = reader.int(Self.workers, in: 1...64)
    let megabytes = reader.int(Self.maxInput, in: 1...20)
    imageLimits = ImageLimits(
      minimumSide: reader.int(Self.minDimension, in: 1...8_192),
      maximumSide: reader.int(Self.maxDimension, in: 1...8_192),
      maximumBytes: megabytes * 1_024 * 1_024
    )
    store = StoreConfiguration(&reader)
  }
}
