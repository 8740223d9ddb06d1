internal import OneShotAPI

/// Pretends to work, for tests and load: fixed latency, failures by a seeded dice.
///
/// The same seed and run give the same outcome in every process. It is never chosen silently: it
/// runs only where the configuration names it.
struct SimulatorProvider: Provider {
  let name = "simulator"
  let pipelines = Set(Pipeline.allCases)
  let capacity = 1_024
  let settings: Settings

  struct Settings: Sendable {
    /// Time from start to end of a run.
    var latency: Duration
    /// Share of runs that fail, 0…1.
    var failureRate: Double
    var seed: UInt64
  }

  private static let steps: [(stage: Gpu.RunStage, fraction: Double)] = [
    (.warming, 0.1), (.running, 0.5), (.running, 0.9),
  ]
  private static let side = 64

  func run(_ work: ProviderWork, report: @escaping ProgressReport) async throws -> [Picture] {
    let dice = Self.hash(work.runID, seed: settings.seed)
    for step in Self.steps {
      report(step.stage, step.fraction)
      if settings.latency > .zero {
        try await Task.sleep(for: settings.latency / Self.steps.count)
      }
    }
    let share = Double(dice >> 11) / Double(1 << 53)
    guard share >= settings.failureRate else { throw RunFailure.provider("simulated failure") }
    return [
      Picture(
        bytes: SimulatedPicture.png(side: Self.side, seed: dice),
        contentType: "image/png",
        width: Self.side,
        height: Self.side
      )
    ]
  }

  func check() async throws {}

  /// FNV-1a of the run's name, then the finaliser of SplitMix64: near names fall far apart.
  private static func hash(_ text: String, seed: UInt64) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
    hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
    return hash ^ hash >> 31
  }
}
