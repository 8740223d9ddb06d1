internal import Logging
internal import ServiceKit

/// Gives back the credits of jobs that nobody ended in time.
struct HoldExpiry: Worker {
  private static let pause: Duration = .seconds(30)
  private static let batch: Int32 = 100

  let name = "hold_expiry"
  let store: BillingStore
  let logger: Logger

  func run() async throws {
    while !Task.isCancelled {
      let expired = try await store.expireHolds(limit: Self.batch)
      if expired > 0 {
        logger.warning("holds expired", metadata: ["count": "\(expired)"])
      }
      if expired < Int(Self.batch) { try await Task.sleep(for: Self.pause) }
    }
  }
}
