internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension AuthService {
  /// Exchanges a refresh token for a new pair; a token used twice ends its session.
  func refresh(
    _ request: Auth.RefreshRequest,
    context: ServerContext
  ) async throws -> Auth.RefreshResponse {
    guard !request.refreshToken.isEmpty else { throw AuthFailure.missing("refresh_token") }
    guard let token = RefreshToken(request.refreshToken) else { throw AuthFailure.invalidToken }
    let successor = RefreshToken()
    switch try await store.rotate(token, to: successor) {
    case .rotated(let session, let user, let role):
      return Auth.RefreshResponse(
        accessToken: try await tokens.issue(to: user, session: session, role: role),
        refreshToken: successor.text,
        tokenType: "bearer",
        expiresIn: expiresIn
      )
    case .reused(let session):
      logger.warning("refresh token used twice", metadata: ["session_id": "\(session)"])
      await announceEnd(of: session)
      throw AuthFailure.tokenReused
    case .expired:
      throw AuthFailure.tokenExpired
    case .invalid:
      throw AuthFailure.invalidToken
    }
  }
}
