internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension AuthService {
  /// Longest display name in characters.
  private static let maxNameCharacters = 100

  /// Creates an account and signs it in.
  func register(
    _ request: Auth.RegisterRequest,
    context: ServerContext
  ) async throws -> Auth.RegisterResponse {
    guard !request.email.isEmpty else { throw AuthFailure.missing("email") }
    guard !request.password.isEmpty else { throw AuthFailure.missing("password") }
    guard let address = EmailAddress(request.email) else { throw AuthFailure.invalidEmail }
    let name = try checkedName(request.name)
    if let weakness = PasswordRule.weakness(of: request.password, for: address) {
      throw AuthFailure.weakPassword(weakness)
    }
    guard let password = PasswordRule.hashed(request.password) else {
      throw AuthFailure.weakPassword(.unusable)
    }
    // Spares the cost of a hash; the unique key decides.
    if try await store.isTaken(address) { throw AuthFailure.emailTaken }

    let passwordHash = try await passwords.hash(password, on: context.loop)
    let session = SessionID(ids.next())
    let token = RefreshToken()
    let user = try await store.create(
      UserID(ids.next()),
      address: address,
      name: name,
      passwordHash: passwordHash,
      session: session,
      token: token,
      origin: origin(context)
    )
    guard let user else { throw AuthFailure.emailTaken }

    async let account = account(of: user.id, context)
    let accessToken = try await tokens.issue(to: user.id, session: session, role: user.role)
    return Auth.RegisterResponse(
      accessToken: accessToken,
      refreshToken: token.text,
      tokenType: "bearer",
      expiresIn: expiresIn,
      user: Auth.SessionUser(id: "\(user.id)", email: user.email, credits: await account?.credits)
    )
  }

  private func checkedName(_ name: String?) throws -> String? {
    guard let name, !name.isEmpty else { return nil }
    guard name.count <= Self.maxNameCharacters else {
      throw AuthFailure.invalid("name", "must have at most \(Self.maxNameCharacters) characters")
    }
    guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
      throw AuthFailure.invalid("name", "must not contain control characters")
    }
    return name
  }
}
