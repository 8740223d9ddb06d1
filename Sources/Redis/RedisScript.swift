internal import Synchronization

/// A Lua script, which Redis runs as one step.
///
/// It is sent by its digest; the text travels only when the server does not know it yet. Make one
/// value for each script and keep it.
package final class RedisScript: Sendable {
  /// The Lua text.
  package let source: String
  // The server computes it; it depends on the text alone.
  private let storage = Mutex<String?>(nil)

  package init(_ source: String) { self.source = source }

  var digest: String? {
    get { storage.withLock { $0 } }
    set { storage.withLock { $0 = newValue } }
  }
}
