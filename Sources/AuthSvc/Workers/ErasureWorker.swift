internal import Foundation
internal import Logging
internal import OneShotAPI
internal import RPC
internal import ServiceKit

/// What other services keep of users.
protocol UserData: Sendable {
  /// Removes jobs and pictures; false when something is left and the call shall be repeated.
  func eraseJobs(of user: UserID) async throws -> Bool
  /// Puts a pseudonym in the user's place in the ledger; false as above.
  func eraseAccount(of user: UserID, as pseudonym: UUID) async throws -> Bool
}

/// JobSvc and BillingSvc.
struct RemoteUserData: UserData {
  let jobs: Jobs.JobServiceClient
  let billing: Billing.BillingServiceClient

  /// Shorter than the lease of an erasure.
  private static let timeout: Duration = .seconds(20)

  func eraseJobs(of user: UserID) async throws -> Bool {
    let request = Jobs.EraseUserDataRequest(userId: "\(user)")
    return try await jobs.eraseUserData(request, options: .timeout(Self.timeout)).done
  }

  func eraseAccount(of user: UserID, as pseudonym: UUID) async throws -> Bool {
    let request = Billing.EraseUserDataRequest(
      userId: "\(user)",
      pseudonym: pseudonym.uuidString.lowercased()
    )
    return try await billing.eraseUserData(request, options: .timeout(Self.timeout)).done
  }
}

/// Carries erasures through the services, step by step.
///
/// A step is noted after it was completed, and every one may be repeated: a process that dies anywhere
/// leaves a row that is due again.
struct ErasureWorker: Worker {
  private static let pause: Duration = .seconds(1)

  let name = "erasures"
  let store: ErasureStore
  let revocations: any RevocationList
  let data: any UserData
  let logger: Logger

  func run() async throws {
    while !Task.isCancelled {
      if try await runOnce() == 0 { try await Task.sleep(for: Self.pause) }
    }
  }

  /// Goes on with what is due; reports how many there were.
  func runOnce() async throws -> Int {
    let due = try await store.take()
    await withTaskGroup(of: Void.self) { group in
      for erasure in due { group.addTask { await goOn(with: erasure) } }
    }
    return due.count
  }

  private func goOn(with erasure: DueErasure) async {
    let fields: Logger.Metadata = [
      "erasure_id": "\(erasure.id)", "step": "\(erasure.step.rawValue)",
      "tries": "\(erasure.tries)",
    ]
    do {
      if let next = try await complete(erasure) {
        try await store.pass(erasure.id, from: erasure.step, to: next)
        logger.info("erasure went on", metadata: fields)
      } else {
        try await postpone(erasure)
      }
    } catch {
      guard !Task.isCancelled else { return }
      logger.warning("erasure postponed", metadata: fields.merging(["error": "\(error)"]) { $1 })
      try? await postpone(erasure)
    }
  }

  private func postpone(_ erasure: DueErasure) async throws {
    try await store.postpone(erasure.id, by: ErasureRetryRule.delay(afterTries: erasure.tries))
  }

  /// Does the step that is next; the step after it, nil when this one needs another call.
  private func complete(_ erasure: DueErasure) async throws -> Erasure.Step? {
    switch erasure.step {
    case .sessions:
      for session in erasure.sessions { try await revocations.add(session) }
      return .jobs
    case .jobs: return try await data.eraseJobs(of: erasure.user) ? .billing : nil
    case .billing:
      return try await data.eraseAccount(of: erasure.user, as: erasure.pseudonym) ? .done : nil
    case .done: return nil
    }
  }
}
