internal import EventLoop

extension LoopChannel {
  /// Makes a unary call; `frame` is sealed, and every attempt sends the same memory.
  func unary(
    _ method: MethodDescriptor,
    _ frame: [UInt8],
    _ options: CallOptions,
    deadline: ContinuousClock.Instant
  ) async throws(ServiceError) -> RPCReply {
    var wasRefused = false
    while true {
      let connection = try await connection(deadline: deadline, waitForReady: options.waitForReady)
      let call = ClientCall(
        deadline: deadline,
        compression: options.compression,
        limits: configuration.limits
      )
      guard start(call, method, frame, options, on: connection) else { continue }
      await end(of: call, on: connection)
      switch takeReply(of: call, on: connection) {
      case .success(let reply): return reply
      case .failure(let error):
        // gRPC proposal A6: what never left us is free, what a server refused is tried again once.
        guard ContinuousClock.now < deadline, !Task.isCancelled else { throw error }
        switch call.progress {
        case .unsent: continue
        case .refused where !wasRefused: wasRefused = true
        case .refused, .sent: throw error
        }
      }
    }
  }

  /// Starts a call with streams.
  func openStream(
    _ method: MethodDescriptor,
    _ options: CallOptions,
    deadline: ContinuousClock.Instant
  ) async throws(ServiceError) -> RawClientStream {
    while true {
      let connection = try await connection(deadline: deadline, waitForReady: options.waitForReady)
      let call = ClientCall(
        deadline: deadline,
        compression: options.compression,
        limits: configuration.limits
      )
      guard start(call, method, nil, options, on: connection) else { continue }
      return RawClientStream(connection: connection, call: call)
    }
  }

  private func start(
    _ call: ClientCall,
    _ method: MethodDescriptor,
    _ frame: [UInt8]?,
    _ options: CallOptions,
    on connection: ClientConnection
  ) -> Bool {
    connection.assumeIsolated { $0.start(call, method, options, onlyMessage: frame) }
  }

  private func takeReply(
    of call: ClientCall,
    on connection: ClientConnection
  ) -> Result<RPCReply, ServiceError> {
    connection.assumeIsolated { $0.takeReply(call) }
  }

  /// Returns when the call has ended; cancelling the task ends it.
  private func end(of call: ClientCall, on connection: ClientConnection) async {
    await withTaskCancellationHandler {
      await connection.waitForEnd(of: call)
    } onCancel: {
      connection.loop.submit {
        connection.assumeIsolated {
          $0.cancel(call, .runtime(.cancelled, "the call was cancelled"))
        }
      }
    }
  }
}
