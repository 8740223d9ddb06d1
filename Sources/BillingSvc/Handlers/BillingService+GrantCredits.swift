internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension BillingService {
  /// Most credits that one call may add.
  private static let maxGrant: Int64 = 1_000_000
  private static let maxReferenceBytes = 200

  /// Adds credits to a user's balance, once per reference.
  func grantCredits(
    _ request: Billing.GrantCreditsRequest,
    context: ServerContext
  ) async throws -> Billing.GrantCreditsResponse {
    guard (1...Self.maxGrant).contains(request.amount) else {
      throw RequestFields.invalid("amount", "must be 1 to \(Self.maxGrant)")
    }
    let (balance, isChanged) = try await store.grant(
      request.amount,
      to: try RequestFields.user(request.userId),
      kind: try kind(request.kind),
      reference: try RequestFields.text(
        request.reference,
        "reference",
        maxBytes: Self.maxReferenceBytes
      )
    )
    return Billing.GrantCreditsResponse(balance: balance, changed: isChanged)
  }

  private func kind(_ kind: Billing.GrantKind) throws(ServiceError) -> GrantKind {
    switch kind {
    case .bonus: .bonus
    case .purchase: .purchase
    case .refund: .refund
    default: throw RequestFields.invalid("kind", "must be one of the known kinds")
    }
  }
}
