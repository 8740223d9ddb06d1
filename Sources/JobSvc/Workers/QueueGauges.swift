internal import Metrics
internal import ServiceKit

/// Measures the queue: how many jobs wait in each class, and how many run.
struct QueueGauges: Worker {
  let name = "queue-gauges"
  let store: JobStore

  private static let interval: Duration = .seconds(5)
  private static let classes: [Int32: String] = [0: "low", 1: "high", 2: "highest"]

  func run() async throws {
    while !Task.isCancelled {
      let depth = try await store.queueDepth()
      for (number, name) in Self.classes {
        Meter(label: "queue_depth", dimensions: [("class", name)]).set(depth.waiting[number] ?? 0)
      }
      Meter(label: "jobs_running").set(depth.running)
      try await Task.sleep(for: Self.interval)
    }
  }
}
