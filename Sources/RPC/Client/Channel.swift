package import EventLoop
internal import HTTP2
package import Net
internal import Synchronization

/// Calls a service: connections on every loop to every endpoint, chosen in turn.
///
/// A call made on a loop of the group stays on that loop.
package final class Channel: Sendable {
  /// What a channel needs to know.
  package struct Configuration: Sendable {
    /// Addresses of the service's processes.
    package var endpoints: [Endpoint]
    /// Nil: clear text, for tests and benchmarks.
    package var tls: TLSContext?
    /// Name required in the server's certificate.
    package var serverName: String
    package var limits = RPCLimits()
    package var interceptors: [any ClientInterceptor] = []
    /// First delay after a failed attempt to connect.
    package var initialBackoff: Duration = .milliseconds(50)
    /// Longest delay between attempts.
    package var maxBackoff: Duration = .seconds(1)
    /// How long a call waits for a peer that is away, so that a restart is not an error.
    package var patience: Duration = .seconds(2)
    /// Attempts of one call in all, where its method may be repeated.
    package var maxAttempts = 3

    /// Names the processes of one service.
    ///
    /// - Parameters:
    ///   - target: One or more `host:port` or `unix:/path`, separated by commas.
    ///   - serverName: Name required in the server's certificate.
    ///   - tls: Nil for clear text.
    /// - Throws: ``NetError/badAddress(_:)``.
    package init(target: String, serverName: String, tls: TLSContext?) throws(NetError) {
      var endpoints: [Endpoint] = []
      for part in target.split(separator: ",") { endpoints.append(try Endpoint(String(part))) }
      guard !endpoints.isEmpty else { throw .badAddress(target) }
      self.endpoints = endpoints
      self.serverName = serverName
      self.tls = tls
    }
  }

  private let configuration: Configuration
  private let group: EventLoopGroup
  /// Subchannels of each loop, in the group's order.
  private let subchannels: [[Subchannel]]
  private let turn = Atomic<Int>(0)

  package init(_ configuration: Configuration, group: EventLoopGroup) {
    self.configuration = configuration
    self.group = group
    let settings = ChannelSettings(
      tls: configuration.tls,
      serverName: configuration.serverName,
      limits: configuration.limits,
      transportLimits: TransportLimits()
    )
    subchannels = group.loops.map { loop in
      configuration.endpoints.map { endpoint in
        Subchannel(
          endpoint,
          loop: loop,
          settings: settings,
          backoff: Backoff(
            first: configuration.initialBackoff,
            longest: configuration.maxBackoff
          ),
          patience: configuration.patience
        )
      }
    }
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
    _ frame: [UInt8],
    options: CallOptions = CallOptions()
  ) async throws(ServiceError) -> [UInt8] {
    try await unaryReply(method, frame, options: options).message
  }

  /// Makes a unary call and returns its metadata, too.
  package func unaryReply(
    _ method: MethodDescriptor,
    _ frame: [UInt8],
    options: CallOptions = CallOptions()
  ) async throws(ServiceError) -> RPCReply {
    let started = ContinuousClock.now
    var options = options
    for interceptor in configuration.interceptors {
      interceptor.callWillStart(method, &options)
    }
    let deadline = options.deadline ?? started + configuration.limits.timeout(of: method)
    do {
      let reply = try await attempt(method, frame, options, deadline)
      report(method, nil, started)
      return reply
    } catch {
      report(method, error, started)
      throw error
    }
  }

  private func attempt(
    _ method: MethodDescriptor,
    _ frame: [UInt8],
    _ options: CallOptions,
    _ deadline: ContinuousClock.Instant
  ) async throws(ServiceError) -> RPCReply {
    var attempts = 1
    while true {
      let connection = try await connection(deadline, waitForReady: options.waitForReady)
      var call: ClientCall?
      do throws(ServiceError) {
        let started = try await connection.start(
          method,
          options,
          deadline: deadline,
          onlyMessage: frame
        )
        call = started
        return try await run(started, on: connection)
      } catch {
        // Not sent, or not looked at by the peer: safe to repeat whatever the method does.
        let isUntouched = call.map(\.wasRefused) ?? (error.code == .unavailable)
        let mayRepeat = isUntouched || (method.noSideEffects && error.code == .unavailable)
        guard mayRepeat, attempts < configuration.maxAttempts, !Task.isCancelled,
          ContinuousClock.now < deadline
        else { throw error }
        attempts += 1
      }
    }
  }

  private func run(
    _ call: ClientCall,
    on connection: ClientConnection
  ) async throws(ServiceError) -> RPCReply {
    let result = await withTaskCancellationHandler {
      await Self.result(of: call, on: connection)
    } onCancel: {
      Task(executorPreference: connection.loop) {
        await connection.cancel(call, .runtime(.cancelled, "the call was cancelled"))
      }
    }
    return try result.get()
  }

  private static func result(
    of call: ClientCall,
    on connection: ClientConnection
  ) async -> Result<RPCReply, ServiceError> {
    do {
      return .success(try await connection.unary(call))
    } catch {
      return .failure(error)
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
    let deadline = options.deadline ?? .now + configuration.limits.timeout(of: method)
    let connection = try await connection(deadline, waitForReady: options.waitForReady)
    let call = try await connection.start(method, options, deadline: deadline, onlyMessage: nil)
    return RawClientStream(connection: connection, call: call)
  }

  /// Closes every connection; running calls fail.
  package func close() async {
    for subchannel in subchannels.joined() { await subchannel.close() }
  }

  private func connection(
    _ deadline: ContinuousClock.Instant,
    waitForReady: Bool
  ) async throws(ServiceError) -> ClientConnection {
    let loop = group.preferred()
    let index = group.loops.firstIndex { $0 === loop } ?? 0
    let candidates = subchannels[index]
    let start = turn.wrappingAdd(1, ordering: .relaxed).oldValue
    for offset in candidates.indices {
      let subchannel = candidates[Int(UInt(bitPattern: start &+ offset) % UInt(candidates.count))]
      if let ready = await subchannel.ready, await ready.isUsable { return ready }
      await subchannel.warmUp()
    }
    var failure = ServiceError.runtime(.unavailable, "no endpoint")
    for offset in candidates.indices {
      let subchannel = candidates[Int(UInt(bitPattern: start &+ offset) % UInt(candidates.count))]
      do {
        return try await subchannel.connection(deadline: deadline, waitForReady: waitForReady)
      } catch {
        failure = error
      }
    }
    throw failure
  }

  private func report(
    _ method: MethodDescriptor,
    _ error: ServiceError?,
    _ started: ContinuousClock.Instant
  ) {
    guard !configuration.interceptors.isEmpty else { return }
    let duration = started.duration(to: .now)
    for interceptor in configuration.interceptors {
      interceptor.callDidEnd(method, error: error, duration: duration)
    }
  }
}

extension RPCLimits {
  /// The time a call gets whose caller named none.
  func timeout(of method: MethodDescriptor) -> Duration {
    method.defaultTimeoutMilliseconds > 0
      ? .milliseconds(method.defaultTimeoutMilliseconds) : defaultTimeout
  }
}
