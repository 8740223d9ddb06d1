internal import Metrics
package import RPC

/// Counts the attempts of calls to one service (gRPC proposals A66 and A96).
///
/// `rpc_client_attempts_total` by kind and `rpc_client_attempts_withheld_total` by reason: docs/rpc.md.
package struct ClientAttemptMetrics: AttemptMetrics {
  private let target: String
  private let factory: any MetricsFactory

  /// Counts calls to `target`; its name and those of methods come from code, so labels are few.
  package init(target: String) {
    self.init(target: target, factory: MetricsSystem.factory)
  }

  init(target: String, factory: any MetricsFactory) {
    self.target = target
    self.factory = factory
  }

  package func counters(of method: MethodDescriptor) -> any AttemptCounters {
    ClientAttemptCounters(
      dimensions: [("target", target), ("service", method.service), ("method", method.method)],
      factory: factory
    )
  }
}

private struct ClientAttemptCounters: AttemptCounters {
  private let dimensions: [(String, String)]
  private let factory: any MetricsFactory
  /// Made once: every call counts here.
  private let first: Counter

  init(dimensions: [(String, String)], factory: any MetricsFactory) {
    self.dimensions = dimensions
    self.factory = factory
    first = Self.started(.first, dimensions, factory)
  }

  func attemptStarted(_ kind: AttemptKind) {
    let counter = kind == .first ? first : Self.started(kind, dimensions, factory)
    counter.increment()
  }

  func attemptWithheld(_ reason: WithheldReason) {
    Counter(
      label: "rpc_client_attempts_withheld_total",
      dimensions: dimensions + [("reason", reason.rawValue)],
      factory: factory
    ).increment()
  }

  private static func started(
    _ kind: AttemptKind,
    _ dimensions: [(String, String)],
    _ factory: any MetricsFactory
  ) -> Counter {
    Counter(
      label: "rpc_client_attempts_total",
      dimensions: dimensions + [("kind", kind.rawValue)],
      factory: factory
    )
  }
}
