package import EventLoop

/// Calls a service: connections on every loop to every endpoint, chosen in turn.
///
/// A call made on a loop of the group stays on that loop.
package final class Channel: Sendable {
  private let configuration: Configuration
  private let group: EventLoopGroup
  /// The channel's part on each loop, in the group's order.
  private let parts: [LoopChannel]

  package init(_ configuration: Configuration, group: EventLoopGroup) {
    self.configuration = configuration
    self.group = group
    parts = group.loops.map { LoopChannel(configuration, loop: $0) }
  }

  /// Makes a unary call.
  ///
  /// - Parameters:
  ///   - method: What to call.
  ///   - frame: The message behind ``RPCFraming/prefixLength`` unset bytes.
  ///   - options: Deadline and metadata.
  /// - Returns: The reply's message without frame.
  /// - Throws: ``ServiceError``.
  package func unary(
    _ method: MethodDescriptor,
    _ frame: consuming [UInt8],
    options: CallOptions = CallOptions()
  ) async throws(ServiceError) -> [UInt8] {
    try await unaryReply(method, frame, options: options).message
  }

  /// Makes a unary call and returns its metadata, too.
  package func unaryReply(
    _ method: MethodDescriptor,
    _ frame: consuming [UInt8],
    options: CallOptions = CallOptions()
  ) async throws(ServiceError) -> RPCReply {
    let started = MonotonicInstant.now
    var options = options
    for interceptor in configuration.interceptors {
      interceptor.callWillStart(method, &options)
    }
    let config = configuration.serviceConfig.config(of: method)
    let request = CallRequest(
      method,
      options,
      config,
      limits: configuration.limits,
      started: started
    )
    do {
      try configuration.limits.checkSending(frame, config)
      Compression.seal(&frame, with: options.compression)
      let reply = try await part().unary(request, frame)
      report(method, nil, started)
      return reply
    } catch {
      report(method, error, started)
      throw error
    }
  }

  /// Starts a call with streams.
  ///
  /// - Throws: ``ServiceError`` when it cannot even be sent.
  package func openStream(
    _ method: MethodDescriptor,
    options: CallOptions = CallOptions()
  ) async throws(ServiceError) -> RawClientStream {
    var options = options
    for interceptor in configuration.interceptors {
      interceptor.callWillStart(method, &options)
    }
    let config = configuration.serviceConfig.config(of: method)
    let request = CallRequest(method, options, config, limits: configuration.limits, started: .now)
    let stream = try await part().openStream(request)
    return RawClientStream(
      stream: stream,
      limits: configuration.limits,
      config: config,
      compression: options.compression
    )
  }

  /// Closes every connection; running calls fail.
  package func close() async {
    for part in parts { await part.close() }
  }

  /// The part on the caller's loop, else on the next one in turn.
  private func part() -> LoopChannel {
    let loop = group.preferred()
    return parts.first { $0.loop === loop } ?? parts[0]
  }

  private func report(
    _ method: MethodDescriptor,
    _ error: ServiceError?,
    _ started: MonotonicInstant
  ) {
    guard !configuration.interceptors.isEmpty else { return }
    let duration = started.duration(to: .now)
    for interceptor in configuration.interceptors {
      interceptor.callDidEnd(method, error: error, duration: duration)
    }
  }
}
