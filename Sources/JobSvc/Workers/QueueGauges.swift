internal import Metrics
internal import ServiceKit

/// Measures the queue: how many jobs wait in each class, how many run, and how many webhooks are to be sent.
struct QueueGauges: Worker {
  let name = "queue-gauges"
  let store: JobStore
  let webhooks: WebhookStore

  private static let interval: Duration = .seconds(5)
  private static let classes: [Int32: String] = [0: "low", 1: "high", 2: "highest"]

  func run() async throws {
    while !Task.isCancelled {
      let depth = try await store.queueDepth()
      for (number, name) in Self.classes {
        Meter(label: "queue_depth", dimensions: [("class", name)]).set(depth.waiting[number] ?? 0)
      }
      Meter(label: "jobs_running").set(depth.running)
      Meter(label: "webhooks_pending").set(try await webhooks.backlog())
      try await Task.sleep(for: Self.interval)
    }
  }
}
