internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension AuthService {
  /// Signs in with address and password.
  ///
  /// An unknown address costs as much time as a wrong password, and gets the same answer.
  func login(
    _ request: Auth.LoginRequest,
    context: ServerContext
  ) async throws -> Auth.LoginResponse {
    guard !request.email.isEmpty else { throw AuthFailure.missing("email") }
    guard !request.password.isEmpty else { throw AuthFailure.missing("password") }
    var credential: Credential?
    if let address = EmailAddress(request.email) {
      credential = try await store.credential(for: address)
    }
    let isRight = try await passwords.matches(
      PasswordRule.hashed(request.password),
      credential?.passwordHash,
      on: context.loop
    )
    guard isRight, let user = credential?.user else { throw AuthFailure.invalidCredentials }

    let session = SessionID(ids.next())
    let token = RefreshToken()
    guard try await store.open(session, of: user.id, token: token, origin: origin(context)) else {
      throw AuthFailure.invalidCredentials
    }
    async let account = account(of: user.id, context)
    let accessToken = try await tokens.issue(to: user.id, session: session, role: user.role)
    return Auth.LoginResponse(
      accessToken: accessToken,
      refreshToken: token.text,
      tokenType: "bearer",
      expiresIn: expiresIn,
      user: Auth.SessionUser(id: "\(user.id)", email: user.email, credits: await account?.credits)
    )
  }
}
