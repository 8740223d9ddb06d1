internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension GatewayService {
  /// Stops a user's runs and forgets their results.
  ///
  /// Done once no run of theirs goes on: until then one may still store what the next call forgets.
  func eraseUserData(
    _ request: Gpu.EraseUserDataRequest,
    context: ServerContext
  ) async throws -> Gpu.EraseUserDataResponse {
    guard let user = UserID(text: request.userId) else {
      throw ServiceError(
        code: .invalidArgument,
        reason: "INVALID_ARGUMENT",
        message: "user_id must be a UUID"
      )
    }
    for run in runs.active(of: user.uuid) { _ = run.cancel() }
    do {
      try await cache.erase(user: user.uuid)
    } catch {
      throw ServiceError(error)
    }
    return .with { $0.done = runs.active(of: user.uuid).isEmpty }
  }
}
