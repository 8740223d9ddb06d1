/// Work took longer than it may.
package struct TimeoutError: Error, CustomStringConvertible {
  /// How long was allowed.
  package let limit: Duration
  package var description: String { "timed out after \(limit)" }
}

/// Runs `work` and cancels it after `limit`.
///
/// - Throws: ``TimeoutError`` once cancelled work has ended; what `work` threw otherwise.
package func withTimeout<Value: Sendable>(
  _ limit: Duration,
  _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  try await withThrowingTaskGroup(of: Value.self) { group in
    group.addTask { try await work() }
    group.addTask {
      try await Task.sleep(for: limit)
      throw TimeoutError(limit: limit)
    }
    defer { group.cancelAll() }
    guard let value = try await group.next() else { throw CancellationError() }
    return value
  }
}
