import EventLoop
import Foundation
import HTTPClient
import Logging
import MediaProtocol
import Net
import ObjectStore
import OneShotAPI
import Postgres
import Protobuf
import RPC
import ServiceKit
import Synchronization
import Testing

@testable import GPUGateway

/// A provider that does what it is told.
final class ScriptedProvider: Provider {
  enum Script: Sendable {
    case succeed
    case fail(RunFailure)
    case hang
  }

  let name: String
  let pipelines = Set(Pipeline.allCases)
  let capacity = 8
  let calls = Recorder<String>()
  private let script: Mutex<Script>

  init(_ name: String, _ script: Script = .succeed) {
    self.name = name
    self.script = Mutex(script)
  }

  func play(_ next: Script) { script.withLock { $0 = next } }

  func run(_ work: ProviderWork, report: @escaping ProgressReport) async throws -> [Picture] {
    calls.add(work.runID)
    report(.running, 0.5)
    switch script.withLock({ $0 }) {
    case .succeed: break
    case .fail(let failure): throw failure
    case .hang:
      for await _ in AsyncStream<Void>(unfolding: { try? await Task.sleep(for: .seconds(60)) }) {}
    }
    try Task.checkCancellation()
    return [
      Picture(
        bytes: SimulatedPicture.png(side: 64, seed: 1),
        contentType: "image/png",
        width: 64,
        height: 64
      )
    ]
  }

  func check() async throws {}
}

/// GPUGateway as a whole behind its RPC server, with scripted providers and a store on disk.
struct GatewayFixture: Sendable {
  let client: Gpu.GPUGatewayServiceClient
  let objects: DiskObjectStore
  let providers: [ScriptedProvider]
  let user = UUID()

  /// Runs `body` against a gateway with a schema and a folder of its own.
  static func run(
    providers: [ScriptedProvider] = [ScriptedProvider("first"), ScriptedProvider("second")],
    _ body: @escaping @Sendable (GatewayFixture) async throws -> Void
  ) async throws {
    let url = try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_DATABASE_URL"],
      "set ONESHOT_TEST_DATABASE_URL, or run make test"
    )
    let name = "gpu_\(UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: ""))"
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let group = try EventLoopGroup(count: 1)
    let logger = Logger(label: "gpu tests") { _ in SwiftLogNoOpLogHandler() }
    let database = try PostgresClient(
      PostgresConfiguration(url: url, searchPath: name),
      group: group,
      logger: logger
    )
    do {
      try await database.migrate(schema: name, migrations: ResultCache.migrations)
      let objects = try DiskObjectStore(
        root: folder.path,
        publicBaseURL: "http://own",
        signingKey: String(repeating: "k", count: 32),
        group: group
      )
      let http = HTTPClient(group: group)
      let registry = ProviderRegistry(providers)
      let runs = RunRegistry()
      let pipeline = RunPipeline(
        providers: registry,
        fetcher: InputFetcher(objects: objects, http: http, group: group, maxBytes: 1 << 20),
        objects: objects,
        cache: ResultCache(database: database),
        limits: ImageLimits(),
        logger: logger
      )
      let executor = RunExecutor(
        registry: runs,
        pipeline: pipeline,
        group: group,
        logger: logger
      )
      var methods = MethodRegistry()
      let service = GatewayService(
        runs: runs,
        providers: registry,
        cache: pipeline.cache,
        logger: logger
      )
      service.register(in: &methods)
      let server = try await RPCServer.start(
        RPCServer.Configuration(endpoint: try Endpoint("127.0.0.1:0"), tls: nil),
        registry: methods,
        group: group
      )
      let channel = Channel(
        try Channel.Configuration(target: "\(server.address)", serverName: "test", tls: nil),
        group: group
      )
      let fixture = GatewayFixture(
        client: Gpu.GPUGatewayServiceClient(channel),
        objects: objects,
        providers: providers
      )
      try await withTaskExecutorPreference(group.loops[0]) {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
          tasks.addTask { try await executor.run() }
          try await body(fixture)
          tasks.cancelAll()
        }
      }
      await channel.close()
      await server.drain(timeout: .zero)
      await http.shutdown()
    } catch {
      Issue.record("the test threw: \(error)")
    }
    _ = try await database.query("DROP SCHEMA IF EXISTS \(unescaped: name) CASCADE")
    await database.shutdown()
    group.stop()
    try? FileManager.default.removeItem(at: folder)
  }

  /// Puts a picture into the user's uploads and returns its key.
  func upload(_ bytes: [UInt8] = SimulatedPicture.png(side: 80, seed: 9)) async throws -> String {
    let key = "uploads/\(user.uuidString.lowercased())/\(UUID().uuidString.lowercased())/me.png"
    try await objects.put(key, bytes: bytes, contentType: "image/png")
    return key
  }

  /// A request to restore the object under `key`.
  func request(
    _ location: Gpu.ImageSource.Location,
    job: UUID = UUID(),
    avoiding: [String] = []
  ) -> Gpu.RunJobRequest {
    let name = job.uuidString.lowercased()
    return .with {
      $0.runId = "\(name)-1"
      $0.jobId = name
      $0.userId = user.uuidString.lowercased()
      $0.attempt = 1
      $0.avoidProviders = avoiding
      $0.policy = .with {
        $0.artifactPrefix = "artifacts/\(user.uuidString.lowercased())/\(name)/"
      }
      $0.spec = .with {
        $0.maxSide = 512
        $0.pipeline = .faceRestore(
          .with {
            $0.input = .with { $0.location = location }
            $0.scale = 1
          }
        )
      }
    }
  }

  /// Runs to the end and returns every event.
  func run(_ request: Gpu.RunJobRequest) async throws -> [Gpu.RunEvent] {
    var events: [Gpu.RunEvent] = []
    for try await event in try await client.runJob(request, options: .timeout(.seconds(20))) {
      events.append(event)
    }
    return events
  }

  /// The failure that a run ends with.
  func failure(_ request: Gpu.RunJobRequest) async throws -> Gpu.RunFailed? {
    guard case .failed(let failure) = try await run(request).last?.event else { return nil }
    return failure
  }

  /// The result that a run ends with.
  func result(_ request: Gpu.RunJobRequest) async throws -> Gpu.RunSucceeded? {
    guard case .succeeded(let result) = try await run(request).last?.event else { return nil }
    return result
  }
}
