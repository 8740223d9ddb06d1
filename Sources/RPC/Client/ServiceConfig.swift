/// What the owner of a service asks of its clients (grpc doc/service_config.md).
///
/// The JSON form is read by ServiceKit.
package struct ServiceConfig: Sendable, Equatable {
  /// What holds for the calls of some methods.
  package struct MethodConfig: Sendable, Equatable {
    /// The call ends after this time even where its caller allows more.
    package var timeout: Duration?
    /// Calls wait for a connection, also where their caller does not ask for it.
    package var waitForReady = false
    /// Largest message sent, beside ``RPCLimits/maxSendMessageBytes``.
    package var maxRequestMessageBytes: Int?
    /// Largest message taken, beside ``RPCLimits/maxReceiveMessageBytes``.
    package var maxResponseMessageBytes: Int?
    /// Nil: as the method's schema says.
    package var repetition: Repetition?

    package init() {}
  }

  /// How a method's calls are repeated; never both ways.
  package enum Repetition: Sendable, Equatable {
    case retry(RetryPolicy)
    case hedging(HedgingPolicy)
  }

  /// By `/service/method`, `/service/` for all of a service, `/` for everything else.
  package var methods: [String: MethodConfig] = [:]
  /// Nil: ``RetryThrottling/standard``.
  package var retryThrottling: RetryThrottling?
  /// Nil: the channel's own.
  package var loadBalancing: LoadBalancingPolicy?
  /// The name that connections are asked about by `grpc.health.v1.Health/Watch`; nil: not asked.
  package var healthCheckService: String?

  package init() {}

  /// What holds for calls of `method`: the most exact name counts.
  package func config(of method: MethodDescriptor) -> MethodConfig? {
    guard !methods.isEmpty else { return nil }
    return methods[method.path] ?? methods["/\(method.service)/"] ?? methods["/"]
  }
}
