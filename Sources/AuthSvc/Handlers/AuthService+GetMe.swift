internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

extension AuthService {
  /// The signed-in user, with what BillingSvc knows; its fields are null while it is away.
  func getMe(
    _ request: Auth.GetMeRequest,
    context: ServerContext
  ) async throws -> Auth.GetMeResponse {
    guard let principal = context.principal else { throw AuthFailure.notSignedIn }
    let id = UserID(principal.userID)
    async let account = account(of: id, context)
    guard let user = try await store.user(id) else { throw AuthFailure.invalidToken }
    let summary = await account
    return Auth.GetMeResponse(
      id: "\(user.id)",
      email: user.email,
      credits: summary?.credits,
      subscriptionStatus: summary?.subscriptionStatus,
      planCode: summary?.planCode,
      createdAt: GoogleProtobuf.Timestamp(user.createdAt)
    )
  }
}
