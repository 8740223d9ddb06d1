internal import EventLoop

/// A call with everything settled that holds for all of its attempts.
struct CallRequest: Sendable {
  let method: MethodDescriptor
  let options: CallOptions
  let deadline: MonotonicInstant
  let maxResponseMessageBytes: Int
  private let configured: ServiceConfig.Repetition?

  /// Brings together what the caller, the service config and the schema say; the tightest counts.
  init(
    _ method: MethodDescriptor,
    _ options: CallOptions,
    _ config: ServiceConfig.MethodConfig?,
    limits: RPCLimits,
    started: MonotonicInstant
  ) {
    self.method = method
    var options = options
    var deadline = options.deadline ?? started + limits.timeout(of: method)
    if let config {
      if config.waitForReady { options.waitForReady = true }
      if let timeout = config.timeout { deadline = min(deadline, started + timeout) }
    }
    self.options = options
    self.deadline = deadline
    maxResponseMessageBytes = min(
      limits.maxReceiveMessageBytes,
      config?.maxResponseMessageBytes ?? .max
    )
    configured = config?.repetition
  }

  /// Hedging or retries; hedging only where the schema says that the method changes nothing.
  var repetition: ServiceConfig.Repetition? {
    switch configured {
    case .hedging(let policy): method.noSideEffects ? .hedging(policy) : nil
    case .retry(let policy): .retry(policy)
    case nil:
      method.retry == .idempotent || method.noSideEffects ? .retry(.idempotent) : nil
    }
  }

  /// The policy of a call that is not hedged.
  var retryPolicy: RetryPolicy? {
    if case .retry(let policy) = repetition { policy } else { nil }
  }
}

extension RPCLimits {
  /// The time a call gets whose caller named none.
  func timeout(of method: MethodDescriptor) -> Duration {
    method.defaultTimeout ?? defaultTimeout
  }

  /// Refuses a message that is too large to be sent.
  ///
  /// - Throws: ``ServiceError`` `.resourceExhausted`.
  func checkSending(
    _ frame: [UInt8],
    _ config: ServiceConfig.MethodConfig?
  ) throws(ServiceError) {
    let limit = min(maxSendMessageBytes, config?.maxRequestMessageBytes ?? .max)
    let count = frame.count - RPCFraming.prefixLength
    guard count > limit else { return }
    throw .runtime(
      .resourceExhausted,
      "message of \(count) bytes is over the limit of \(limit) for sending"
    )
  }
}
