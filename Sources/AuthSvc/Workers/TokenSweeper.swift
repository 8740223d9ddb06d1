internal import ServiceKit

/// Removes refresh tokens that nobody can use any more.
struct TokenSweeper: Worker {
  private static let pause: Duration = .seconds(600)
  private static let batch: Int32 = 500

  let name = "token_sweeper"
  let store: UserStore

  func run() async throws {
    while !Task.isCancelled {
      let removed = try await store.removeExpiredTokens(limit: Self.batch)
      if removed < Int(Self.batch) { try await Task.sleep(for: Self.pause) }
    }
  }
}
