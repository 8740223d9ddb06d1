internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension JobService {
  /// The key that signs the notices of the caller's jobs.
  func getWebhookSecret(
    _ request: Jobs.GetWebhookSecretRequest,
    context: ServerContext
  ) async throws -> Jobs.GetWebhookSecretResponse {
    let user = try context.requireUser()
    return .with { $0.key = settings.webhookKeys.text(of: user) }
  }
}
