internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension AuthService {
  /// Ends the session of the access token; a repeat changes nothing and announces it again.
  func logout(
    _ request: Auth.LogoutRequest,
    context: ServerContext
  ) async throws -> Auth.LogoutResponse {
    guard let principal = context.principal else { throw AuthFailure.notSignedIn }
    let session = SessionID(principal.sessionID)
    _ = try await store.revoke(session, reason: .logout)
    await announceEnd(of: session)
    return Auth.LogoutResponse(status: "success")
  }
}
