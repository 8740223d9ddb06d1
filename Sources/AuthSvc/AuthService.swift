internal import Logging
internal import OneShotAPI
internal import RPC
internal import ServiceKit

/// Users, passwords and sessions; each RPC is in a file of its own.
struct AuthService: Auth.AuthServiceHandler {
  let store: UserStore
  let erasures: ErasureStore
  let passwords: PasswordHasher
  let tokens: TokenIssuer
  let accounts: any AccountSource
  let revocations: any RevocationList
  let ids: UUIDv7
  let logger: Logger
}

/// Where credits and plans of users are known.
protocol AccountSource: Sendable {
  /// Credits and plan of a user; opens the account of a new one.
  func summary(of user: UserID, options: CallOptions) async throws -> AccountSummary
}

/// BillingSvc.
struct BillingAccounts: AccountSource {
  let client: Billing.BillingServiceClient

  func summary(of user: UserID, options: CallOptions) async throws -> AccountSummary {
    let answer = try await client.getEntitlements(
      Billing.GetEntitlementsRequest(userId: "\(user)"),
      options: options
    )
    return AccountSummary(
      credits: answer.credits,
      subscriptionStatus: answer.entitlements?.subscriptionStatus ?? "inactive",
      planCode: answer.entitlements?.planCode ?? "free"
    )
  }
}

extension AuthService {
  /// How long an answer waits for BillingSvc before it does without.
  private static let accountPatience: Duration = .seconds(1)

  /// Credits and plan of a user, nil while BillingSvc does not answer.
  func account(of user: UserID, _ context: ServerContext) async -> AccountSummary? {
    do {
      return try await accounts.summary(
        of: user,
        options: context.callOptions.within(Self.accountPatience)
      )
    } catch {
      logger.warning("answering without credits", metadata: ["error": "\(error)"])
      return nil
    }
  }

  /// Where the caller is, for the list of sessions.
  func origin(_ context: ServerContext) -> SessionOrigin {
    SessionOrigin(
      address: context.clientAddress,
      userAgent: context.metadata["x-oneshot-user-agent"]
    )
  }

  /// Ends a session's access tokens at the edges; a failure is left to ``RevocationPublisher``.
  func announceEnd(of session: SessionID) async {
    do {
      try await revocations.add(session)
      try await store.markPublished([session])
    } catch {
      logger.warning("announcing an ended session later", metadata: ["error": "\(error)"])
    }
  }

  /// Seconds that the answer promises for the access token.
  var expiresIn: Int32 {
    Int32(clamping: tokens.lifetime.components.seconds)
  }
}
