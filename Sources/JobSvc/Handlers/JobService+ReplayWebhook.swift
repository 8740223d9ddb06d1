internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension JobService {
  /// Makes the notice of one of the caller's jobs due again; its id stays.
  func replayWebhook(
    _ request: Jobs.ReplayWebhookRequest,
    context: ServerContext
  ) async throws -> Jobs.ReplayWebhookResponse {
    try await answering {
      let user = try context.requireUser()
      let found = try await webhooks.replay(jobID(request.jobId), user: user)
      guard let found else { throw ServiceError.webhookNotFound }
      webhookWake.wake()
      return .with { $0.delivery = printed(found) }
    }
  }
}
