internal import Foundation
internal import Postgres
internal import ServiceKit

extension BillingStore {
  /// Takes in one event of a subscription; applies it unless it is a repeat, about somebody
  /// else's subscription, older than what is known, or of a kind without effect.
  ///
  /// The payload is the event as JSON, kept as it came.
  func receive(_ event: SubscriptionEvent, payload: String) async throws -> EventReceipt {
    let rows = try await query(
      """
      SELECT processed, duplicate, outcome
      FROM receive_subscription_event(
        \(event.provider), \(event.inboxID), \(event.type), \(event.effect.rawValue),
        \(event.user.uuid), \(event.productID), \(event.subscriptionID), \(event.occurredAt),
        \(event.expiresAt), \(JSONText(payload)), \(settings.startingCredits), \(now))
      """
    )
    guard let row = rows.first else {
      throw UnexpectedRow(description: "receive_subscription_event: no row")
    }
    let (processed, duplicate, outcome) = try row.decode(Bool.self, Bool.self, String.self)
    return EventReceipt(isProcessed: processed, isDuplicate: duplicate, outcome: outcome)
  }
}
