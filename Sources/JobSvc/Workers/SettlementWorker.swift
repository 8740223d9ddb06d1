internal import Logging
internal import OneShotAPI
internal import RPC
internal import ServiceKit

/// Carries the orders of the settlement outbox to BillingSvc: captures and releases of holds.
///
/// An order is repeated until billing has answered it; billing acts on the first only.
struct SettlementWorker: Worker {
  let name = "settlement"
  let store: SettlementStore
  let billing: Billing.BillingServiceClient
  let wake: WakeSignal
  let logger: Logger

  private static let pollInterval: Duration = .seconds(1)
  private static let longestDelay: Duration = .seconds(60)
  private static let callTimeout: Duration = .seconds(5)
  /// Orders that come within this time are taken and marked together.
  private static let interval: Duration = .milliseconds(20)

  func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await wake.wakeRegularly(every: Self.pollInterval) }
      for await _ in wake.wakes {
        while try await settleDue() > 0 { try await Task.sleep(for: Self.interval) }
      }
      group.cancelAll()
    }
  }

  /// Carries out the orders that are due; returns how many there were.
  func settleDue() async throws -> Int {
    let due = try await store.take()
    guard !due.isEmpty else { return 0 }
    let settled = try await withThrowingTaskGroup(of: (JobID, String)?.self) { group in
      for order in due { group.addTask { try await carryOut(order) } }
      var settled: [(job: JobID, outcome: String)] = []
      for try await one in group { if let (job, outcome) = one { settled.append((job, outcome)) } }
      return settled
    }
    try await store.settle(settled)
    return due.count
  }

  /// The outcome; nil when the order was postponed.
  private func carryOut(_ order: DueSettlement) async throws -> (JobID, String)? {
    do {
      let state = try await call(order)
      let outcome = "\(state)"
      let expected: Billing.HoldState = order.action == .capture ? .captured : .released
      if state != expected {
        logger.error(
          "hold ended otherwise",
          metadata: [
            "job_id": "\(order.job)", "action": "\(order.action)", "outcome": "\(outcome)",
          ]
        )
      }
      return (order.job, outcome)
    } catch let error as ServiceError {
      logger.warning(
        "settlement postponed",
        metadata: ["job_id": "\(order.job)", "tries": "\(order.tries)", "error": "\(error)"]
      )
      try await store.postpone(order.job, by: delay(order.tries))
      return nil
    }
  }

  private func call(_ order: DueSettlement) async throws -> Billing.HoldState {
    let options = CallOptions.timeout(Self.callTimeout)
    switch order.action {
    case .capture:
      let request = Billing.CaptureHoldRequest.with {
        $0.jobId = order.job.description
        $0.userId = order.user.description
      }
      return try await billing.captureHold(request, options: options).state
    case .release:
      let request = Billing.ReleaseHoldRequest.with {
        $0.jobId = order.job.description
        $0.userId = order.user.description
        $0.reason = Billing.ReleaseReason(rawValue: order.reason)
      }
      return try await billing.releaseHold(request, options: options).state
    }
  }

  private func delay(_ tries: Int32) -> Duration {
    min(.seconds(1) * Int(1 << min(tries, 6)), Self.longestDelay)
  }
}
