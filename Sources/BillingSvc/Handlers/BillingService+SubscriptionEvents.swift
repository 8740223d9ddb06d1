internal import Metrics
internal import Logging

extension BillingService {
  /// Takes in one event of a subscription, counts and logs what came of it.
  func receive(
    _ event: SubscriptionEvent,
    payload: String
  ) async throws -> EventReceipt {
    let receipt = try await store.receive(event, payload: payload)
    Counter(
      label: "billing_subscription_events_total",
      dimensions: [
        ("provider", event.provider),
        ("outcome", receipt.isDuplicate ? "duplicate" : receipt.outcome),
      ]
    ).increment()
    // An account that claims what another one pays for is a mistake or a fraud: somebody must look.
    logger.log(
      level: receipt.outcome == EventReceipt.otherOwner ? .warning : .notice,
      "subscription event",
      metadata: [
        "provider": "\(event.provider)", "event_type": "\(event.type)",
        "event_id": "\(event.id)", "subscription": "\(event.subscriptionID)",
        "subject": "\(event.user)", "outcome": "\(receipt.outcome)",
        "duplicate": "\(receipt.isDuplicate)",
      ]
    )
    return receipt
  }
}
