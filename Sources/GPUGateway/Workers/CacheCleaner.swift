internal import ServiceKit

/// Removes old entries of the result cache.
struct CacheCleaner: Worker {
  let name = "cache-cleaner"
  let cache: ResultCache

  private static let interval: Duration = .seconds(600)

  func run() async throws {
    while !Task.isCancelled {
      try await cache.forgetOld()
      try await Task.sleep(for: Self.interval)
    }
  }
}
