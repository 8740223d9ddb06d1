internal import Protobuf
internal import Synchronization

/// Whether a service takes calls.
package enum ServingStatus: Sendable, Hashable {
  case serving, notServing
}

/// `grpc.health.v1.Health`: what load balancers and orchestrators ask (grpc doc/health-checking.md).
///
/// The empty name stands for the whole process.
package final class HealthService: GrpcHealth.HealthHandler {
  private struct State {
    var statuses: [String: ServingStatus]
    var watchers: [Int: (service: String, AsyncStream<ServingStatus?>.Continuation)] = [:]
    var nextWatcher = 0
  }

  /// Names that `List` answers with at most.
  private static let maxListed = 100

  private let state: Mutex<State>

  /// Knows `services` and the empty name; all start as not serving.
  package init(services: [String]) {
    var statuses: [String: ServingStatus] = ["": .notServing]
    for service in services { statuses[service] = .notServing }
    state = Mutex(State(statuses: statuses))
  }

  /// Sets every service's status, and tells those who watch.
  package func setAll(_ status: ServingStatus) {
    state.withLock { state in
      for name in state.statuses.keys { state.statuses[name] = status }
      for (service, continuation) in state.watchers.values {
        continuation.yield(state.statuses[service])
      }
    }
  }

  package func check(
    _ request: GrpcHealth.HealthCheckRequest,
    context: ServerContext
  ) async throws -> GrpcHealth.HealthCheckResponse {
    guard let status = state.withLock({ $0.statuses[request.service] }) else {
      throw ServiceError.runtime(.notFound, "unknown service")
    }
    return Self.response(status)
  }

  package func list(
    _ request: GrpcHealth.HealthListRequest,
    context: ServerContext
  ) async throws -> GrpcHealth.HealthListResponse {
    let statuses = state.withLock { $0.statuses }
    guard statuses.count <= Self.maxListed else {
      throw ServiceError.runtime(.resourceExhausted, "more than \(Self.maxListed) services")
    }
    return .with { $0.statuses = statuses.mapValues(Self.response) }
  }

  /// Sends the status now and at each change; an unknown service may become known later.
  package func watch(
    _ request: GrpcHealth.HealthCheckRequest,
    responses: ResponseWriter<GrpcHealth.HealthCheckResponse>,
    context: ServerContext
  ) async throws {
    let (changes, continuation) = AsyncStream.makeStream(
      of: ServingStatus?.self,
      bufferingPolicy: .bufferingNewest(1)
    )
    let id = state.withLock { state in
      defer { state.nextWatcher += 1 }
      state.watchers[state.nextWatcher] = (request.service, continuation)
      continuation.yield(state.statuses[request.service])
      return state.nextWatcher
    }
    defer { state.withLock { _ = $0.watchers.removeValue(forKey: id) } }
    for await status in changes { try await responses.send(Self.response(status)) }
  }

  private static func response(_ status: ServingStatus?) -> GrpcHealth.HealthCheckResponse {
    .with {
      switch status {
      case .serving: $0.status = .serving
      case .notServing: $0.status = .notServing
      case nil: $0.status = .serviceUnknown
      }
    }
  }
}
