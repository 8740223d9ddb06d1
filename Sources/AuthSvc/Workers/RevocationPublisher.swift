internal import Logging
internal import ServiceKit

/// Tells the edges of ended sessions which a handler could not announce itself.
///
/// A handler announces at once; the mark in the row is the outbox for the times when Redis was away.
struct RevocationPublisher: Worker {
  private static let pause: Duration = .seconds(2)
  private static let batch: Int32 = 100

  let name = "revocation_publisher"
  let store: UserStore
  let list: any RevocationList
  /// Older sessions have no access token left.
  let tokenLifetime: Duration

  func run() async throws {
    while !Task.isCancelled {
      let more = try await publish()
      if !more { try await Task.sleep(for: Self.pause) }
    }
  }

  /// Announces one batch; true when there may be another.
  func publish() async throws -> Bool {
    let sessions = try await store.unpublishedRevocations(
      within: tokenLifetime,
      limit: Self.batch
    )
    guard !sessions.isEmpty else { return false }
    for session in sessions { try await list.add(session) }
    try await store.markPublished(sessions)
    return sessions.count == Int(Self.batch)
  }
}
