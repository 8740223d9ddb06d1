internal import Foundation
internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension GatewayService {
  private static let maxNameBytes = 128

  /// Runs one attempt of a job, or attaches to the run of that name, and reports until it ends.
  func runJob(
    _ request: Gpu.RunJobRequest,
    responses: ResponseWriter<Gpu.RunEvent>,
    context: ServerContext
  ) async throws {
    try Self.check(request)
    let run = try runs.startOrAttach(request)
    guard run.request.jobId == request.jobId else { throw ServiceError.unknownRun }
    try await run.follow(after: 0) { try await responses.send($0) }
  }

  private static func check(_ request: Gpu.RunJobRequest) throws(ServiceError) {
    let isNamed = (1...maxNameBytes).contains(request.runId.utf8.count)
    guard isNamed, let job = UUID(uuidString: request.jobId),
      let user = UUID(uuidString: request.userId), let spec = request.spec,
      Pipeline(spec) != nil
    else { throw .badRun("run_id, job_id, user_id and spec are required") }
    LogContext.note(JobID(job))
    // Artifacts are stored nowhere but under their user's prefix.
    let prefix = "artifacts/\(user.uuidString.lowercased())/\(request.jobId)/"
    guard request.policy?.artifactPrefix == prefix else {
      throw .badRun("artifact_prefix must be \(prefix)")
    }
  }
}

extension ServiceError {
  fileprivate static func badRun(_ message: String) -> ServiceError {
    ServiceError(code: .invalidArgument, reason: "INVALID_ARGUMENT", message: message)
  }

  /// There is no run of that name for that job here.
  static var unknownRun: ServiceError {
    ServiceError(code: .notFound, reason: "NOT_FOUND", message: "unknown run")
  }
}
