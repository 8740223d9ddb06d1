internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

extension BillingService {
  /// Features or consents that one request may list.
  private static let maxNames = 16
  private static let maxNameBytes = 64

  /// Passes a job through all gates and sets its credits aside.
  func holdCredits(
    _ request: Billing.HoldCreditsRequest,
    context: ServerContext
  ) async throws -> Billing.HoldCreditsResponse {
    let outcome = try await store.hold(
      AdmissionRequest(
        job: try RequestFields.job(request.jobId),
        user: try RequestFields.user(request.userId),
        jobType: try RequestFields.text(
          request.jobType,
          "job_type",
          maxBytes: Self.maxNameBytes
        ),
        maxSide: request.maxSide,
        features: try checked(request.features, "features"),
        consents: try checked(request.consents, "consents")
      )
    )
    switch outcome {
    case .refused(let refusal):
      throw refusal.serviceError
    case .admitted(let admission):
      return Billing.HoldCreditsResponse(
        jobId: request.jobId,
        state: Billing.HoldState(admission.state),
        creditsCost: admission.amount,
        balance: admission.balance,
        entitlements: Billing.Entitlements(admission.entitlements),
        expiresAt: GoogleProtobuf.Timestamp(admission.expiresAt),
        repeatedCall: admission.isRepeated
      )
    }
  }

  private func checked(_ names: [String], _ field: String) throws(ServiceError) -> [String] {
    guard names.count <= Self.maxNames,
      names.allSatisfy({ $0.utf8.count <= Self.maxNameBytes && !$0.utf8.contains(0) })
    else { throw RequestFields.invalid(field, "has too many or too long names") }
    return names
  }
}
