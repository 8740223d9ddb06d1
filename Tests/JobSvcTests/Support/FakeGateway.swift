import OneShotAPI
import Protobuf
import RPC
import Synchronization

/// A GPUGateway that plays the scripts it is given, one a call of RunJob.
final class FakeGateway: Gpu.GPUGatewayServiceHandler {
  /// What one call of RunJob does.
  enum Script: Sendable {
    case succeed(isCacheHit: Bool)
    case fail(reason: String, isRetryable: Bool)
    /// Some progress, then the stream breaks.
    case breakOff
    /// Some progress, then nothing until the caller goes or the run is cancelled.
    case hang
  }

  struct State {
    var scripts: [Script] = []
    var runs: [Gpu.RunJobRequest] = []
    var cancelled: Set<String> = []
    var hanging: [String: AsyncStream<Void>.Continuation] = [:]
  }

  let state = Mutex(State())

  init(_ scripts: [Script] = []) { state.withLock { $0.scripts = scripts } }

  var runs: [Gpu.RunJobRequest] { state.withLock { $0.runs } }
  var cancelled: Set<String> { state.withLock { $0.cancelled } }

  /// Adds what the next call does; without a script a run succeeds.
  func play(_ script: Script) { state.withLock { $0.scripts.append(script) } }

  func runJob(
    _ request: Gpu.RunJobRequest,
    responses: ResponseWriter<Gpu.RunEvent>,
    context: ServerContext
  ) async throws {
    let script = state.withLock { state in
      state.runs.append(request)
      return state.scripts.isEmpty ? .succeed(isCacheHit: false) : state.scripts.removeFirst()
    }
    try await responses.send(.with { $0.event = .accepted(.with { $0.provider = "fake" }) })
    try await responses.send(
      .with {
        $0.event = .progress(
          .with {
            $0.stage = .running
            $0.progressBasisPoints = 5_000
          }
        )
      }
    )
    switch script {
    case .succeed(let isCacheHit):
      try await responses.send(.with { $0.event = .succeeded(Self.result(request, isCacheHit)) })
    case .fail(let reason, let isRetryable):
      try await responses.send(
        .with {
          $0.event = .failed(
            .with {
              $0.reason = reason
              $0.message = "It failed."
              $0.retryable = isRetryable
              $0.provider = "fake"
            }
          )
        }
      )
    case .breakOff: throw ServiceError.runtime(.unavailable, "broken off")
    case .hang:
      let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
      state.withLock { $0.hanging[request.runId] = continuation }
      for await _ in stream {}
    }
  }

  private static func result(
    _ request: Gpu.RunJobRequest,
    _ isCacheHit: Bool
  ) -> Gpu.RunSucceeded {
    .with {
      $0.provider = "fake"
      $0.cacheHit = isCacheHit
      $0.artifacts = [
        .with {
          $0.artifactType = "image"
          $0.objectKey = (request.policy?.artifactPrefix ?? "") + "result.png"
          $0.fileSize = 7
          $0.mimeType = "image/png"
          $0.width = 64
          $0.height = 48
          $0.sha256 = Array(repeating: 0xAB, count: 32)
        }
      ]
    }
  }

  func attachJob(
    _ request: Gpu.AttachJobRequest,
    responses: ResponseWriter<Gpu.RunEvent>,
    context: ServerContext
  ) async throws { throw ServiceError.runtime(.notFound, "unknown run") }

  func cancelRun(
    _ request: Gpu.CancelRunRequest,
    context: ServerContext
  ) async throws -> Gpu.CancelRunResponse {
    let hanging = state.withLock { state in
      state.cancelled.insert(request.runId)
      return state.hanging.removeValue(forKey: request.runId)
    }
    hanging?.finish()
    return .with { $0.outcome = .confirmed }
  }

  func listProviders(
    _ request: Gpu.ListProvidersRequest,
    context: ServerContext
  ) async throws -> Gpu.ListProvidersResponse { Gpu.ListProvidersResponse() }

  func eraseUserData(
    _ request: Gpu.EraseUserDataRequest,
    context: ServerContext
  ) async throws -> Gpu.EraseUserDataResponse {
    let hanging = state.withLock { state in
      let runs = state.runs.filter { $0.userId == request.userId }.map(\.runId)
      state.cancelled.formUnion(runs)
      return runs.compactMap { state.hanging.removeValue(forKey: $0) }
    }
    for run in hanging { run.finish() }
    // Those that were stopped just now have not ended yet.
    return .with { $0.done = hanging.isEmpty }
  }
}
