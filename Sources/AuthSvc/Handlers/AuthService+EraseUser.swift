internal import Foundation
internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

extension AuthService {
  /// Removes a user's account at once, and everything else of theirs from then on.
  func eraseUser(
    _ request: Auth.EraseUserRequest,
    context: ServerContext
  ) async throws -> Auth.EraseUserResponse {
    guard !request.userId.isEmpty else { throw AuthFailure.missing("user_id") }
    guard let user = UserID(text: request.userId) else {
      throw AuthFailure.invalid("user_id", "must be a UUID")
    }
    // Random, as nothing about the pseudonym may lead back.
    let erasure = try await erasures.request(user, id: ids.next(), pseudonym: UUID())
    guard let erasure else { throw AuthFailure.unknownUser }
    return Auth.EraseUserResponse(
      erasureId: erasure.id.uuidString.lowercased(),
      step: Auth.ErasureStep(erasure.step),
      requestedAt: GoogleProtobuf.Timestamp(erasure.requestedAt),
      completedAt: erasure.completedAt.map { GoogleProtobuf.Timestamp($0) }
    )
  }
}

extension Auth.ErasureStep {
  /// The step as callers see it.
  init(_ step: Erasure.Step) {
    switch step {
    case .sessions: self = .sessions
    case .jobs: self = .jobs
    case .billing: self = .billing
    case .done: self = .done
    }
  }
}
