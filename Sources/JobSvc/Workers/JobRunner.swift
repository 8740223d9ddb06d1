internal import Foundation
internal import Logging
internal import Metrics
internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

/// Runs one claimed job through the gateway and stores what comes of it.
///
/// The run has a name, so that asking again after a broken stream, a restart of the gateway or the
/// loss of a process finds the same run instead of paying for another.
struct JobRunner: Sendable {
  let store: JobStore
  let gateway: Gpu.GPUGatewayServiceClient
  let relay: EventRelay
  let settlements: WakeSignal
  let webhooks: WakeSignal
  let bell: QueueBell
  let retries: RetryRule
  let estimates: DurationEstimates
  let ids: UUIDv7
  let clock: any WallClock
  let logger: Logger

  /// How long one attempt may take.
  static let runTimeout: Duration = .seconds(600)
  /// How long the gateway may be out of reach before the attempt counts as failed.
  static let gatewayPatience: Duration = .seconds(120)
  private static let cancelTimeout: Duration = .seconds(5)
  private static let reconnectDelay: Duration = .milliseconds(500)
  /// What ended a run.
  private enum Ending {
    case succeeded(Gpu.RunSucceeded)
    case failed(Gpu.RunFailed)
    /// The job is not ours any more.
    case lost
  }

  /// Runs until the job has ended, is retried later, or the task is cancelled.
  func run(_ job: ClaimedJob) async {
    let start = ContinuousClock.now
    do {
      guard let ending = try await follow(job) else { return }
      try await conclude(job, ending, started: start)
    } catch {
      // The lease runs out, and whoever claims the job then finds the run again.
      guard !Task.isCancelled else { return }
      logger.error("job left to its lease", metadata: ["error": "\(error)"])
    }
  }

  /// Stops the run of a job that was taken from us by its user.
  ///
  /// Of one that another process took the run goes on: that process attaches to it.
  func stopIfCancelled(_ job: ClaimedJob) async {
    do {
      guard try await store.isCancelled(job.id) else { return }
      _ = try await gateway.cancelRun(
        .with {
          $0.runId = job.runID
          $0.jobId = job.id.description
        },
        options: .timeout(Self.cancelTimeout)
      )
    } catch {
      logger.warning("run not stopped", metadata: ["error": "\(error)"])
    }
  }

  // MARK: Following

  private func follow(_ job: ClaimedJob) async throws -> Ending? {
    let request = try request(for: job)
    let end = ContinuousClock.now + Self.runTimeout
    var reachable = ContinuousClock.now
    while !Task.isCancelled {
      do {
        let options = CallOptions.timeout(end - ContinuousClock.now)
        let events = try await gateway.runJob(request, options: options)
        reachable = .now
        if let ending = try await consumeWhole(events, of: job) { return ending }
        reachable = .now
      } catch let error as ServiceError {
        guard !Task.isCancelled else { return nil }
        logger.warning("run interrupted", metadata: ["error": "\(error)"])
        guard Self.mayReattach(error), ContinuousClock.now - reachable < Self.gatewayPatience,
          ContinuousClock.now < end
        else { return .failed(Self.failure(of: error)) }
      }
      try await Task.sleep(for: Self.reconnectDelay)
    }
    return nil
  }

  /// Consumes the stream and then gives the call up, whatever happened; one that ended stays ended.
  private func consumeWhole(
    _ events: ResponseStream<Gpu.RunEvent>,
    of job: ClaimedJob
  ) async throws -> Ending? {
    do {
      let ending = try await consume(events, of: job)
      await events.cancel()
      return ending
    } catch {
      await events.cancel()
      throw error
    }
  }

  private func consume(
    _ events: ResponseStream<Gpu.RunEvent>,
    of job: ClaimedJob
  ) async throws -> Ending? {
    let progress = RunProgress(of: job, store: store, relay: relay)
    let ending = try await withThrowingTaskGroup(of: Ending?.self) { group in
      group.addTask { try await read(events, progress) }
      // Ends by itself only when the job is not ours any more.
      group.addTask { try await progress.store() ? nil : .lost }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
    return try await progress.storeRest() ? ending : .lost
  }

  private func read(
    _ events: ResponseStream<Gpu.RunEvent>,
    _ progress: RunProgress
  ) async throws -> Ending? {
    for try await event in events {
      switch event.event {
      case .accepted(let accepted):
        progress.accepted(by: accepted.provider)
      case .progress(let report):
        progress.moved(
          to: JobStage(report.stage),
          JobProgress(claimed: report.progressBasisPoints)
        )
      case .succeeded(let result): return .succeeded(result)
      case .failed(let failure): return .failed(failure)
      case nil: break
      }
    }
    return nil
  }

  private func request(for job: ClaimedJob) throws -> Gpu.RunJobRequest {
    var request = Gpu.RunJobRequest()
    request.runId = job.runID
    request.jobId = job.id.description
    request.userId = job.user.description
    request.attempt = job.attempt
    request.spec = try Gpu.JobSpec(decoding: job.spec)
    request.policy = try Gpu.OutputPolicy(decoding: job.policy)
    request.deadline = GoogleProtobuf.Timestamp(
      clock.now().addingTimeInterval(JobStore.seconds(Self.runTimeout))
    )
    request.avoidProviders = job.failedProviders
    return request
  }

  /// Whether the run may still be going on behind the error.
  private static func mayReattach(_ error: ServiceError) -> Bool {
    switch error.code {
    case .unavailable, .cancelled, .unknown, .internalError, .aborted, .resourceExhausted: true
    default: false
    }
  }

  private static func failure(of error: ServiceError) -> Gpu.RunFailed {
    .with {
      $0.reason = "PROVIDER_UNAVAILABLE"
      $0.message = "The job could not be processed at the moment."
      // A request that the gateway does not understand fails the same way every time.
      $0.retryable = error.code != .invalidArgument && error.code != .permissionDenied
    }
  }

  // MARK: Ending

  private func conclude(
    _ job: ClaimedJob,
    _ ending: Ending,
    started: ContinuousClock.Instant
  ) async throws {
    switch ending {
    case .lost: await stopIfCancelled(job)
    case .succeeded(let result):
      let artifacts = result.artifacts.enumerated().map { NewArtifact($1, at: $0, id: ids.next()) }
      guard
        try await store.succeed(
          job,
          artifacts: artifacts,
          provider: result.provider,
          isCacheHit: result.cacheHit
        )
      else { return await stopIfCancelled(job) }
      if !result.cacheHit { estimates.note(job.type, ContinuousClock.now - started) }
      count(job, "succeeded", started)
      await didEnd(job)
    case .failed(let failure):
      try await concludeFailure(job, failure, started: started)
    }
  }

  private func concludeFailure(
    _ job: ClaimedJob,
    _ failure: Gpu.RunFailed,
    started: ContinuousClock.Instant
  ) async throws {
    let provider = failure.provider.isEmpty ? nil : failure.provider
    let decision = retries.decision(
      afterAttempt: Int(job.attempt),
      isRetryable: failure.retryable
    )
    switch decision {
    case .retry(let delay):
      logger.info("attempt failed", metadata: ["reason": "\(failure.reason)", "retry": "\(delay)"])
      let isOurs = try await store.retry(
        job,
        after: delay,
        code: failure.reason,
        provider: provider
      )
      guard isOurs else { return await stopIfCancelled(job) }
      await relay.announce(job.id)
      bell.ring()
    case .fail:
      logger.info("job failed", metadata: ["reason": "\(failure.reason)"])
      let isOurs = try await store.fail(
        job,
        code: failure.reason,
        message: failure.message,
        provider: provider
      )
      guard isOurs else { return await stopIfCancelled(job) }
      count(job, "failed", started)
      await didEnd(job)
    }
  }

  private func didEnd(_ job: ClaimedJob) async {
    settlements.wake()
    if job.hasWebhook { webhooks.wake() }
    await relay.announce(job.id)
  }

  private func count(_ job: ClaimedJob, _ status: String, _ started: ContinuousClock.Instant) {
    let pipeline = ("pipeline", job.type.rawValue)
    Counter(label: "jobs_total", dimensions: [pipeline, ("status", status)]).increment()
    let seconds = JobStore.seconds(ContinuousClock.now - started)
    Metrics.Timer(label: "job_duration_seconds", dimensions: [pipeline])
      .recordNanoseconds(Int64(seconds * 1e9))
  }
}

extension JobStage {
  /// The stage that the gateway reports; unknown ones count as running.
  init(_ stage: Gpu.RunStage) {
    switch stage {
    case .preparing: self = .preparing
    case .warming: self = .warming
    case .safety: self = .safety
    case .uploading: self = .uploading
    default: self = .running
    }
  }
}

extension NewArtifact {
  /// Takes over what the gateway reports.
  init(_ artifact: Gpu.RunArtifact, at position: Int, id: UUID) {
    self.init(
      id: id,
      position: position,
      artifactType: artifact.artifactType,
      objectKey: artifact.objectKey,
      fileSize: artifact.fileSize,
      mimeType: artifact.mimeType,
      width: artifact.width,
      height: artifact.height,
      sha256: artifact.sha256.map { byte in
        let hex = String(byte, radix: 16)
        return hex.count == 1 ? "0" + hex : hex
      }.joined()
    )
  }
}
