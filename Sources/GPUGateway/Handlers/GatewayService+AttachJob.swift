internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension GatewayService {
  /// Follows a run that an earlier call started.
  func attachJob(
    _ request: Gpu.AttachJobRequest,
    responses: ResponseWriter<Gpu.RunEvent>,
    context: ServerContext
  ) async throws {
    if let job = JobID(text: request.jobId) { LogContext.note(job) }
    guard let run = runs.run(request.runId), run.request.jobId == request.jobId else {
      throw ServiceError.unknownRun
    }
    try await run.follow(after: request.afterSequence) { try await responses.send($0) }
  }
}
