internal import Foundation
internal import Logging
internal import Metrics
internal import ServiceKit
internal import Synchronization

/// Sends the notices of the webhook outbox, each until its receiver has it or it is dead.
///
/// At least once: a process that dies after sending leaves a lease that runs out, and the next one
/// sends the same notice under the same id.
struct WebhookWorker: Worker {
  let name = "webhooks"
  let store: WebhookStore
  let jobs: JobService
  let sender: WebhookSender
  let retries: WebhookRetryRule
  let limits: WebhookStore.Limits
  let concurrency: Int
  let wake: WakeSignal
  let faults: FaultPoints
  let logger: Logger
  private let slots = Slots()

  private static let pollInterval: Duration = .milliseconds(500)
  /// A lease outlives its attempt by the time that reading and storing may take.
  private static let leaseMargin: Duration = .seconds(5)

  init(
    store: WebhookStore,
    jobs: JobService,
    sender: WebhookSender,
    configuration: WebhookConfiguration,
    wake: WakeSignal,
    faults: FaultPoints,
    logger: Logger
  ) {
    self.store = store
    self.jobs = jobs
    self.sender = sender
    retries = configuration.retries
    limits = configuration.limits
    concurrency = configuration.concurrency
    self.wake = wake
    self.faults = faults
    self.logger = logger
  }

  /// Slots of this process that are taken.
  private final class Slots: Sendable {
    private let taken = Atomic<Int>(0)

    var count: Int { taken.load(ordering: .relaxed) }
    func take() { taken.wrappingAdd(1, ordering: .relaxed) }
    func free() { taken.wrappingSubtract(1, ordering: .relaxed) }
  }

  func run() async throws {
    await withDiscardingTaskGroup { group in
      group.addTask { await wake.wakeRegularly(every: Self.pollInterval) }
      for await _ in wake.wakes {
        let claimed = await claim()
        for webhook in claimed {
          slots.take()
          group.addTask {
            await deliver(webhook)
            slots.free()
            // The receiver, the user and the slot are free for another.
            wake.wake()
          }
        }
        // What was passed over because of these may be due now.
        if !claimed.isEmpty { wake.wake() }
      }
      group.cancelAll()
    }
  }

  private func claim() async -> [ClaimedWebhook] {
    let room = concurrency - slots.count
    guard room > 0 else { return [] }
    do {
      return try await store.claim(
        room,
        limits: limits,
        lease: sender.timeout + Self.leaseMargin
      )
    } catch {
      if !Task.isCancelled { logger.warning("claim failed", metadata: ["error": "\(error)"]) }
      return []
    }
  }

  /// Makes one attempt and stores what came of it.
  func deliver(_ webhook: ClaimedWebhook) async {
    await LogContext.$current.withValue(LogContext(userID: webhook.user, jobID: webhook.job)) {
      do {
        // A job that is gone took its notice along.
        guard let body = try await jobs.notice(of: webhook.job, user: webhook.user) else { return }
        faults.reach("before_webhook")
        let start = ContinuousClock.now
        let outcome = try await sender.send(webhook, body: body)
        faults.reach("after_webhook")
        try await conclude(webhook, outcome, start.duration(to: .now))
      } catch {
        // The lease runs out, and the notice is sent then.
        guard !Task.isCancelled else { return }
        logger.error("webhook left to its lease", metadata: ["error": "\(error)"])
      }
    }
  }

  private func conclude(
    _ webhook: ClaimedWebhook,
    _ outcome: WebhookRetryRule.Outcome,
    _ duration: Duration
  ) async throws {
    let decision = retries.decision(
      afterAttempt: Int(webhook.attempt),
      outcome,
      chance: .random(in: 0...1)
    )
    // Addresses may hold secrets of their owners: the log has no more than the host.
    var fields: Logger.Metadata = [
      "webhook_id": "\(webhook.publicID)", "origin": "\(webhook.origin)",
      "attempt": "\(webhook.attempt)",
    ]
    switch outcome {
    case .answered(let status, _): fields["status"] = "\(status)"
    case .failed(let word): fields["failure"] = "\(word)"
    }
    guard try await store.conclude(webhook, outcome, decision) else {
      return logger.warning("webhook was taken over", metadata: fields)
    }
    Metrics.Timer(label: "webhook_attempt_duration_seconds")
      .recordNanoseconds(Int64(JobStore.seconds(duration) * 1e9))
    Counter(label: "webhook_attempts_total", dimensions: [("outcome", decision.word)]).increment()
    switch decision {
    case .delivered: logger.info("webhook delivered", metadata: fields)
    case .retry(let delay):
      fields["retry"] = "\(delay)"
      logger.info("webhook attempt failed", metadata: fields)
    case .dead: logger.warning("webhook is dead", metadata: fields)
    }
  }
}

extension WebhookRetryRule.Decision {
  /// Label of the metric.
  fileprivate var word: String {
    switch self {
    case .delivered: "delivered"
    case .retry: "retried"
    case .dead: "dead"
    }
  }
}
