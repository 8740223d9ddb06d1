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
  private struct Watcher {
    let service: String
    /// What it was told last.
    var told: ServingStatus?
    let changes: AsyncStream<ServingStatus?>.Continuation
  }

  private struct State {
    var statuses: [String: ServingStatus]
    var isShutDown = false
    var watchers: [Int: Watcher] = [:]
    var nextWatcher = 0

    /// Tells each watcher whose service has another status than before.
    mutating func tellWatchers() {
      for (id, watcher) in watchers where statuses[watcher.service] != watcher.told {
        watchers[id]?.told = statuses[watcher.service]
        watcher.changes.yield(statuses[watcher.service])
      }
    }
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

  /// Sets every service's status, and tells those who watch; no effect after ``shutDown()``.
  package func setAll(_ status: ServingStatus) {
    change { statuses in
      for name in statuses.keys { statuses[name] = status }
    }
  }

  /// Sets one service's status, makes the service known, or with nil forgets it; no effect after
  /// ``shutDown()``.
  package func set(_ service: String, _ status: ServingStatus?) {
    change { $0[service] = status }
  }

  private func change(_ body: (inout [String: ServingStatus]) -> Void) {
    state.withLock { state in
      guard !state.isShutDown else { return }
      body(&state.statuses)
      state.tellWatchers()
    }
  }

  /// Says for good that nothing is served, and ends every watch: they would hold up a drain.
  package func shutDown() {
    setAll(.notServing)
    state.withLock { state in
      state.isShutDown = true
      for watcher in state.watchers.values { watcher.changes.finish() }
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
  ///
  /// A slow reader gets the last of several changes.
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
      let told = state.statuses[request.service]
      state.watchers[state.nextWatcher] = Watcher(
        service: request.service,
        told: told,
        changes: continuation
      )
      continuation.yield(told)
      if state.isShutDown { continuation.finish() }
      return state.nextWatcher
    }
    defer { state.withLock { _ = $0.watchers.removeValue(forKey: id) } }
    for await status in changes { try await responses.send(Self.response(status)) }
    try Task.checkCancellation()
    throw ServiceError.runtime(.unavailable, "the server is shutting down")
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
