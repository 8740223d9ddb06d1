internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension GatewayService {
  /// Stops a run.
  ///
  /// Both providers here stop with their task, so that a stop is confirmed.
  func cancelRun(
    _ request: Gpu.CancelRunRequest,
    context: ServerContext
  ) async throws -> Gpu.CancelRunResponse {
    var response = Gpu.CancelRunResponse()
    if let job = JobID(text: request.jobId) { LogContext.note(job) }
    guard let run = runs.run(request.runId), run.request.jobId == request.jobId else {
      response.outcome = .unknownRun
      return response
    }
    switch run.cancel() {
    case .stopped: response.outcome = .confirmed
    case .alreadyEnded: response.outcome = .alreadyEnded
    }
    return response
  }
}
