internal import Logging
internal import OneShotAPI
internal import RPC
internal import ServiceKit

/// Plans, subscriptions and the ledger of credits; each RPC is in a file of its own.
struct BillingService: Billing.BillingServiceHandler {
  let store: BillingStore
  let ids: UUIDv7
  /// Whether `MockEvent` exists here.
  let allowsMockEvents: Bool
  let logger: Logger
}
