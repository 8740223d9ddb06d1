internal import Foundation
internal import Logging
internal import MediaProtocol
internal import ObjectStore
internal import OneShotAPI

/// Executes one run: inputs → checks → cache → provider → artifacts.
struct RunPipeline: Sendable {
  let providers: ProviderRegistry
  let fetcher: InputFetcher
  let objects: any ObjectStore
  let cache: ResultCache
  let limits: ImageLimits
  let logger: Logger

  /// Shares of the whole that the steps around the provider's work take, in basis points.
  private enum Share {
    static let fetched: Int32 = 500
    static let worked: Int32 = 9_000
    static let stored: Int32 = 9_900
  }

  /// Executes `run` and says how it ended, unless the task is cancelled.
  func execute(_ run: Run) async {
    do {
      try await work(run)
    } catch let failure as RunFailure {
      logger.info("run failed", metadata: ["run_id": "\(run.id)", "failure": "\(failure)"])
      run.failed(failure, provider: "")
    } catch {
      guard !Task.isCancelled else { return }
      logger.error("run failed", metadata: ["run_id": "\(run.id)", "error": "\(error)"])
      run.failed(.provider("\(error)"), provider: "")
    }
  }

  private func work(_ run: Run) async throws {
    guard let pipeline = Pipeline(run.request.spec ?? Gpu.JobSpec()),
      let user = UUID(uuidString: run.request.userId)
    else {
      throw RunFailure.input("INVALID_ARGUMENT", "The job is not understood.")
    }
    run.progressed(.preparing, basisPoints: 0)
    let spec = run.request.spec ?? Gpu.JobSpec()
    let policy = run.request.policy ?? Gpu.OutputPolicy()
    let inputs = try await inputs(of: spec, user: user)
    run.progressed(.preparing, basisPoints: Share.fetched)
    let hash = ContentHash.of(inputs: inputs, spec: spec, policy: policy)
    if let known = await cached(user: user, hash: hash) {
      run.accepted(by: known.provider, task: "cache")
      return run.succeeded(known)
    }
    let work = ProviderWork(runID: run.id, spec: spec, policy: policy, inputs: inputs)
    let (pictures, provider) = try await produce(work, pipeline, run)
    run.progressed(.uploading, basisPoints: Share.worked)
    let artifacts = try await store(pictures, under: policy.artifactPrefix)
    run.progressed(.uploading, basisPoints: Share.stored)
    let result = Gpu.RunSucceeded.with {
      $0.artifacts = artifacts
      $0.provider = provider
      $0.contentHash = hash
    }
    guard await remember(result, user: user, hash: hash) else {
      for artifact in artifacts { try await objects.delete(artifact.objectKey) }
      throw RunFailure.cancelled
    }
    run.succeeded(result)
  }

  // MARK: Inputs

  private func inputs(of spec: Gpu.JobSpec, user: UUID) async throws -> [[UInt8]] {
    let sources = InputRule.sources(of: spec)
    var inputs: [[UInt8]] = []
    for (position, source) in sources.enumerated() {
      let bytes = try await fetcher.fetch(source, for: user)
      try InputRule.check(bytes, limits: limits, position: position)
      inputs.append(bytes)
    }
    return inputs
  }

  // MARK: Provider

  /// Tries the providers in turn until one has done the work.
  private func produce(
    _ work: ProviderWork,
    _ pipeline: Pipeline,
    _ run: Run
  ) async throws -> ([Picture], provider: String) {
    var failure = RunFailure(
      reason: "PROVIDER_UNAVAILABLE",
      message: "No provider is available at the moment.",
      isRetryable: true
    )
    for provider in providers.candidates(
      for: pipeline,
      avoiding: run.request.avoidProviders
    ) where providers.begin(provider) {
      run.accepted(by: provider.name, task: work.runID)
      do {
        let pictures = try await provider.run(work) { stage, fraction in
          run.progressed(stage, basisPoints: Self.basisPoints(fraction))
        }
        providers.end(provider, .succeeded)
        return (pictures, provider.name)
      } catch let error as RunFailure {
        providers.end(provider, error.isRetryable ? .failed : .abandoned)
        guard error.isRetryable else { throw error }
        logger.warning(
          "provider failed",
          metadata: ["provider": "\(provider.name)", "failure": "\(error)"]
        )
        failure = error
      } catch {
        providers.end(provider, Task.isCancelled ? .abandoned : .failed)
        try Task.checkCancellation()
        failure = .provider("\(error)")
      }
    }
    throw failure
  }

  /// Where a provider's fraction lies in the whole; whatever it claims, it stays within its share.
  private static func basisPoints(_ fraction: Double) -> Int32 {
    let claimed = fraction.isFinite ? min(max(fraction, 0), 1) : 0
    return Share.fetched + Int32(Double(Share.worked - Share.fetched) * claimed)
  }

  // MARK: Artifacts

  private func store(
    _ pictures: [Picture],
    under prefix: String
  ) async throws -> [Gpu.RunArtifact] {
    var artifacts: [Gpu.RunArtifact] = []
    for (position, picture) in pictures.enumerated() {
      let key = "\(prefix)\(position == 0 ? "result" : "result-\(position + 1)").png"
      try await objects.put(key, bytes: picture.bytes, contentType: picture.contentType)
      artifacts.append(
        .with {
          $0.artifactType = "image"
          $0.objectKey = key
          $0.fileSize = Int64(picture.bytes.count)
          $0.mimeType = picture.contentType
          $0.width = Int32(clamping: picture.width)
          $0.height = Int32(clamping: picture.height)
          $0.sha256 = ContentHash.digest(picture.bytes)
        }
      )
    }
    return artifacts
  }

  // MARK: Cache

  /// A known result whose artifacts still exist.
  ///
  /// The cache is a help: its failure is none of the job.
  private func cached(user: UUID, hash: [UInt8]) async -> Gpu.RunSucceeded? {
    do {
      guard var known = try await cache.find(user: user, hash: hash) else { return nil }
      for artifact in known.artifacts {
        guard try await objects.head(artifact.objectKey) != nil else {
          try await cache.forget(user: user, hash: hash)
          return nil
        }
      }
      known.cacheHit = true
      return known
    } catch {
      logger.warning("result cache not read", metadata: ["error": "\(error)"])
      return nil
    }
  }

  /// False when the user was erased while the run went on.
  private func remember(_ result: Gpu.RunSucceeded, user: UUID, hash: [UInt8]) async -> Bool {
    do {
      return try await cache.store(result, user: user, hash: hash)
    } catch {
      logger.warning("result cache not written", metadata: ["error": "\(error)"])
      return true
    }
  }
}
