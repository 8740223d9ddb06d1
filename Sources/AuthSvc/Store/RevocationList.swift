internal import Redis
internal import ServiceKit

/// Sessions whose access tokens are refused before they expire, in Redis for the edges.
protocol RevocationList: Sendable {
  /// Refuses the tokens of a session from now on.
  func add(_ session: SessionID) async throws
}

/// The list that the edge's limiter script reads with every request.
struct RedisRevocationList: RevocationList {
  /// Clocks of the edges may differ by this.
  private static let leewaySeconds: Int64 = 60

  let redis: RedisClient
  /// Entries outlive the longest access token.
  let tokenLifetime: Duration

  func add(_ session: SessionID) async throws {
    let seconds = tokenLifetime.components.seconds + Self.leewaySeconds
    _ = try await redis.command("SET", "session:revoked:\(session)", "1", "EX", "\(seconds)")
  }
}
