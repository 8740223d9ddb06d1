internal import Foundation
internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

extension BillingService {
  private static let maxNameBytes = 128

  /// Makes a subscription event and takes it in the way of a real one.
  ///
  /// Only where mock billing is on, and only for an operator or a caller on the same machine: users
  /// cannot upgrade themselves.
  func mockEvent(
    _ request: Billing.MockEventRequest,
    context: ServerContext
  ) async throws -> Billing.MockEventResponse {
    guard allowsMockEvents else {
      throw ServiceError(
        code: .notFound,
        reason: "ROUTE_NOT_FOUND",
        message: "There is nothing at this address."
      )
    }
    let isOperator = context.principal?.role == .admin
    guard isOperator || LoopbackRule.isLoopback(context.clientAddress) else {
      throw ServiceError(
        code: .permissionDenied,
        reason: "PERMISSION_DENIED",
        message: "Mock events are taken from operators and from this machine."
      )
    }
    let event = SubscriptionEvent.mock(
      id: try eventID(request.eventId),
      type: try RequestFields.text(
        request.eventType,
        "event_type",
        maxBytes: Self.maxNameBytes
      ),
      user: try RequestFields.user(request.userId),
      productID: try RequestFields.text(
        request.productId,
        "product_id",
        maxBytes: Self.maxNameBytes
      ),
      expiresAt: try RequestFields.date(request.expiresAt, "expires_at")
    )
    let receipt = try await receive(event, payload: try event.payload())
    return Billing.MockEventResponse(
      status: "success",
      message: "Mock event sent to webhook",
      webhookResponse: Billing.WebhookReceipt(
        status: "success",
        eventId: event.id,
        processed: receipt.isProcessed,
        duplicate: receipt.isDuplicate
      )
    )
  }

  private func eventID(_ given: String?) throws(ServiceError) -> String {
    guard let given else { return "mock_evt_\(ids.next().uuidString.lowercased())" }
    return try RequestFields.text(given, "event_id", maxBytes: Self.maxNameBytes)
  }
}

extension SubscriptionEvent {
  /// The event as the provider's webhook would bring it.
  func payload() throws -> String {
    struct Payload: Encodable {
      var event_type: String
      var event_id: String
      var user_id: String
      var product_id: String
      var expires_at: String?
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let data = try encoder.encode(
      Payload(
        event_type: type,
        event_id: id,
        user_id: "\(user)",
        product_id: productID,
        expires_at: expiresAt.map(RFC3339.text)
      )
    )
    return String(decoding: data, as: UTF8.self)
  }
}
