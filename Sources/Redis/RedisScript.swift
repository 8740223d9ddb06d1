internal import Synchronization

/// A Lua script, which Redis runs as one step.
///
/// It is sent by its digest; the text travels only when the server does not know it yet. Make one
/// value for each script and keep it.
package final class RedisScript: Sendable {
  /// The Lua text.
  package let source: String
  // The server computes the digest; it depends on the text alone.
  private let storage = Mutex<[UInt8]?>(nil)

  package init(_ source: String) { self.source = source }

  /// `EVALSHA` and the digest in the wire format; nil until a server has told the digest.
  var evalsha: [UInt8]? { storage.withLock { $0 } }

  /// Keeps the digest in the form that every call sends.
  func setDigest(_ digest: String) -> [UInt8] {
    let evalsha = Array("$7\r\nEVALSHA\r\n$\(digest.utf8.count)\r\n\(digest)\r\n".utf8)
    storage.withLock { $0 = evalsha }
    return evalsha
  }
}
