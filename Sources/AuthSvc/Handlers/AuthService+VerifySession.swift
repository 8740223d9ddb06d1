internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

extension AuthService {
  /// Whether a session still stands.
  func verifySession(
    _ request: Auth.VerifySessionRequest,
    context: ServerContext
  ) async throws -> Auth.VerifySessionResponse {
    guard let id = SessionID(text: request.sessionId) else {
      throw AuthFailure.invalid("session_id", "must be a UUID")
    }
    guard let session = try await store.activeSession(id) else {
      return Auth.VerifySessionResponse(active: false)
    }
    return Auth.VerifySessionResponse(
      active: true,
      userId: "\(session.user)",
      role: session.role,
      expiresAt: GoogleProtobuf.Timestamp(session.expiresAt)
    )
  }
}
