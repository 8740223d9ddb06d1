internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension JobService {
  /// How the notice of one of the caller's jobs stands.
  func getWebhook(
    _ request: Jobs.GetWebhookRequest,
    context: ServerContext
  ) async throws -> Jobs.GetWebhookResponse {
    try await answering {
      let user = try context.requireUser()
      let found = try await webhooks.webhook(of: jobID(request.jobId), user: user)
      guard let found else { throw ServiceError.webhookNotFound }
      return .with { $0.delivery = printed(found) }
    }
  }
}

extension ServiceError {
  /// The job is absent or somebody else's, has not ended, or has no address.
  static var webhookNotFound: ServiceError {
    ServiceError(code: .notFound, reason: "NOT_FOUND", message: "Webhook not found")
  }
}
