internal import Logging
internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension JobService {
  private static let gatewayTimeout: Duration = .seconds(2)

  /// Cancels a job, at the gateway, too, and answers its true state.
  ///
  /// The job ends in the database first: a result that comes a moment later finds it cancelled.
  func cancelJob(
    _ request: Jobs.CancelJobRequest,
    context: ServerContext
  ) async throws -> Jobs.CancelJobResponse {
    try await answering {
      let user = try context.requireUser()
      let id = try jobID(request.jobId)
      guard let cancellation = try await store.cancel(id, of: user) else {
        throw ServiceError.jobNotFound
      }
      if cancellation.isChanged {
        settlements.wake()
        webhookWake.wake()
        await relay.announce(id)
        if let run = cancellation.runID { await stop(run, of: id, context) }
      }
      let job = try await printedJob(id, user: user)
      return .with { $0.job = job }
    }
  }

  /// Stops the run; when the gateway does not answer, the job's runner does it later.
  private func stop(_ run: String, of job: JobID, _ context: ServerContext) async {
    do {
      _ = try await gateway.cancelRun(
        .with {
          $0.runId = run
          $0.jobId = job.description
        },
        options: context.callOptions.within(Self.gatewayTimeout)
      )
    } catch {
      logger.warning("run not stopped", metadata: ["job_id": "\(job)", "error": "\(error)"])
    }
  }
}
