internal import Foundation
internal import ServiceKit

/// One thing that happened to a subscription, as a payment provider tells it.
struct SubscriptionEvent: Sendable, Hashable {
  /// What an event type does.
  enum Effect: String, Sendable {
    /// The paid period begins or goes on.
    case started
    /// It will not be renewed; the period runs out.
    case cancelled
    /// It is over now.
    case ended
    /// Stored, without an effect.
    case other
  }

  static let mockProvider = "mock"

  /// The payment provider's name.
  var provider: String
  /// The provider's id of the event; a repeat has the same.
  var id: String
  /// The provider's word, such as `subscription_created`.
  var type: String
  var user: UserID
  var productID: String
  /// The provider's id of the subscription.
  var subscriptionID: String
  /// When it happened; nil when the provider does not say.
  var occurredAt: Date?
  /// End of the paid period; nil when the product's length decides.
  var expiresAt: Date?

  /// Name under which the inbox knows the event.
  ///
  /// A payment provider's ids are its own; those of mock events are chosen by users, and two users
  /// may choose the same.
  var inboxID: String { provider == Self.mockProvider ? "\(user):\(id)" : id }

  /// What the event does.
  var effect: Effect {
    switch type {
    case "subscription_created", "subscription_renewed": .started
    case "subscription_cancelled": .cancelled
    case "subscription_expired": .ended
    default: .other
    }
  }
}

/// What came of an event.
struct EventReceipt: Sendable, Hashable {
  /// Outcome of an event about a subscription that another user pays for.
  static let otherOwner = "other_owner"

  /// Whether the event had an effect, now or when it came first.
  var isProcessed: Bool
  /// Whether it had been received before.
  var isDuplicate: Bool
  /// `applied`, or why it had no effect.
  var outcome: String
}

extension SubscriptionEvent {
  /// Makes the event of the development endpoint.
  ///
  /// One mock subscription per user and product, so that a cancellation finds what an earlier event
  /// created.
  static func mock(
    id: String,
    type: String,
    user: UserID,
    productID: String,
    expiresAt: Date?
  ) -> SubscriptionEvent {
    SubscriptionEvent(
      provider: mockProvider,
      id: id,
      type: type,
      user: user,
      productID: productID,
      subscriptionID: "mock_sub_\(user)_\(productID)",
      occurredAt: nil,
      expiresAt: expiresAt
    )
  }
}
