internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension JobService {
  /// One job of the caller's.
  func getJob(
    _ request: Jobs.GetJobRequest,
    context: ServerContext
  ) async throws -> Jobs.GetJobResponse {
    try await answering {
      let user = try context.requireUser()
      let job = try await printedJob(jobID(request.jobId), user: user)
      return .with { $0.job = job }
    }
  }
}
