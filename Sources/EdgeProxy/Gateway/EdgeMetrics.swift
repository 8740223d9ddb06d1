internal import Metrics
internal import Synchronization

/// Counters and timers of the public side.
final class EdgeMetrics: Sendable {
  private struct Key: Hashable {
    let route: String
    let status: Int
  }

  private let requests = Mutex<[Key: Timer]>([:])
  private let failures = Mutex<[String: Counter]>([:])
  /// Distinct reasons of protocol failures that are counted by name.
  private static let maxReasons = 64

  /// Notes an answered request.
  ///
  /// `route` is a template, so the number of series is bounded.
  func noteRequest(_ route: String, status: Int, duration: Duration) {
    let key = Key(route: route, status: status)
    let timer = requests.withLock { timers in
      if let known = timers[key] { return known }
      let timer = Timer(
        label: "edge_http_request_duration_seconds",
        dimensions: [("route", route), ("status", String(status))]
      )
      timers[key] = timer
      return timer
    }
    let (seconds, attoseconds) = duration.components
    timer.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  /// Notes a request or connection that broke a rule of its protocol.
  func noteFailure(_ reason: String) {
    let counter = failures.withLock { counters in
      if let known = counters[reason] { return known }
      let name = counters.count < Self.maxReasons ? reason : "other"
      let counter = Counter(label: "edge_protocol_failures_total", dimensions: [("reason", name)])
      counters[reason] = counter
      return counter
    }
    counter.increment()
  }
}
