import MediaProtocol
import OneShotAPI
import Testing

@testable import GPUGateway

@Suite("Simulator") struct SimulatorTests {
  private func outcome(_ run: String, rate: Double, seed: UInt64 = 1) async -> [UInt8]? {
    let simulator = SimulatorProvider(
      settings: SimulatorProvider.Settings(latency: .zero, failureRate: rate, seed: seed)
    )
    let work = ProviderWork(
      runID: run,
      spec: Gpu.JobSpec(),
      policy: Gpu.OutputPolicy(),
      inputs: []
    )
    return try? await simulator.run(work) { _, _ in }.first?.bytes
  }

  @Test("The same seed and run give the same outcome")
  func deterministic() async {
    let first = await outcome("a-1", rate: 0)
    let again = await outcome("a-1", rate: 0)
    let other = await outcome("a-1", rate: 0, seed: 2)
    #expect(first == again)
    #expect(first != other)
  }

  @Test("Runs fail as often as the rate says", arguments: [0.0, 0.3, 1.0])
  func failures(_ rate: Double) async {
    var failed = 0
    for index in 0..<400 where await outcome("\(index)-1", rate: rate) == nil { failed += 1 }
    #expect(abs(Double(failed) / 400 - rate) < 0.08)
  }

  @Test("Its picture is a whole PNG")
  func picture() throws {
    let bytes = SimulatedPicture.png(side: 64, seed: 3)
    let header = try ImageHeader.inspect(bytes, limits: ImageLimits())
    #expect((header.format, header.width, header.height) == (.png, 64, 64))
  }

  @Test("It reports at least three steps that never go back")
  func steps() async throws {
    let simulator = SimulatorProvider(
      settings: SimulatorProvider.Settings(latency: .zero, failureRate: 0, seed: 1)
    )
    let steps = Recorder<Double>()
    _ = try await simulator.run(
      ProviderWork(runID: "a", spec: Gpu.JobSpec(), policy: Gpu.OutputPolicy(), inputs: [])
    ) { _, fraction in steps.add(fraction) }
    #expect(steps.all.count >= 3)
    #expect(steps.all == steps.all.sorted())
  }
}
