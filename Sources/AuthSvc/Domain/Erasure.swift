internal import Foundation
internal import ServiceKit

/// The removal of a user from all services.
///
///     sessions → jobs → billing → done
///
/// The account itself is gone when the erasure is stored. Every step may be repeated.
struct Erasure: Sendable, Hashable {
  /// What comes next.
  enum Step: String, Sendable {
    /// The edges are told of the sessions that ended.
    case sessions
    /// JobSvc, and GPUGateway through it, remove jobs and pictures.
    case jobs
    /// BillingSvc puts a pseudonym in the user's place.
    case billing
    case done
  }

  let id: UUID
  let user: UserID
  var step: Step
  let requestedAt: Date
  var completedAt: Date?
}

/// An erasure that this process goes on with.
struct DueErasure: Sendable {
  let id: UUID
  let user: UserID
  let step: Erasure.Step
  let pseudonym: UUID
  let sessions: [SessionID]
  /// Since the last step that was completed.
  let tries: Int32
}

/// When an erasure that could not go on is tried again.
enum ErasureRetryRule {
  private static let first: Duration = .seconds(1)
  private static let longest: Duration = .seconds(60)

  /// After so many tries of one step, from 1: one second, two, four, … a minute.
  static func delay(afterTries tries: Int32) -> Duration {
    min(first * (1 << min(max(tries - 1, 0), 6)), longest)
  }
}
