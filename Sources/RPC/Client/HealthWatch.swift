internal import EventLoop

/// Reads one `grpc.health.v1.Health/Watch` stream of one connection (gRPC proposal A17).
struct HealthWatch: Sendable {
  /// What a connection's owner is told about its peer.
  enum Verdict: Sendable, Equatable {
    case healthy
    case unhealthy(String)
  }

  /// How a watch ended.
  enum End: Sendable, Equatable {
    /// The peer had answered before.
    case answered
    case failed
    /// The peer does not know the method: it counts as healthy and is asked no more.
    case unknown
  }

  /// The stream's own deadline: it is begun anew then, which nobody notices.
  private static let lifetime = Duration.seconds(24 * 3_600)

  let service: String
  let limits: RPCLimits

  /// Reports every answer; returns when the stream has ended or the task is cancelled.
  ///
  /// - Parameters:
  ///   - connection: The connection whose peer is asked.
  ///   - report: Told each verdict.
  /// - Returns: How the stream ended.
  func run(
    on connection: ClientConnection,
    report: @Sendable (Verdict) async -> Void
  ) async -> End {
    let call = ClientCall(
      deadline: .now + Self.lifetime,
      compression: nil,
      maxMessageBytes: limits.maxReceiveMessageBytes,
      maxBuffered: limits.maxBufferedMessages
    )
    return await withTaskCancellationHandler {
      await follow(call, on: connection, report: report)
    } onCancel: {
      connection.submitCancel(call, "the connection is let go")
    }
  }

  private func follow(
    _ call: ClientCall,
    on connection: ClientConnection,
    report: @Sendable (Verdict) async -> Void
  ) async -> End {
    var request = GrpcHealth.HealthCheckRequest()
    request.service = service
    var frame = request.encoded(reserving: RPCFraming.prefixLength)
    RPCFraming.seal(&frame)
    let isStarted = await connection.start(
      call,
      GrpcHealth.HealthMethods.watch,
      CallOptions(),
      onlyMessage: frame
    )
    guard isStarted else { return .failed }
    var end = End.failed
    do {
      while let bytes = try await connection.nextMessage(of: call) {
        await report(Self.verdict(try GrpcHealth.HealthCheckResponse(decodingCall: bytes)))
        end = .answered
      }
      await report(.unhealthy("the peer has ended the health watch"))
    } catch {
      let error = ServiceError.wrapping(error)
      if error.code == .unimplemented {
        await report(.healthy)
        return .unknown
      }
      // Our own deadline is no news of the peer.
      if error.code == .deadlineExceeded, end == .answered { return end }
      await connection.cancel(call, .runtime(.cancelled, "the health watch has failed"))
      await report(.unhealthy("the health watch failed: \(error)"))
    }
    return end
  }

  private static func verdict(_ response: GrpcHealth.HealthCheckResponse) -> Verdict {
    response.status == .serving ? .healthy : .unhealthy("health is \(response.status)")
  }
}
