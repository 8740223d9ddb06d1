/// Why a command of Redis failed.
///
/// Descriptions never hold arguments of commands.
package struct RedisError: Error, Sendable, CustomStringConvertible {
  /// The classes that callers tell apart.
  package enum Kind: String, Sendable {
    /// The URL is wrong, or the command is not for a shared connection.
    case configuration
    /// There is no connection now; nothing was sent.
    case unavailable
    /// The answer did not come in time; the command may still run.
    case timeout
    /// The connection ended before the answer; the command may have run.
    case connectionLost
    /// Too many commands wait for their answers; nothing was sent.
    case overloaded
    /// Redis answered with an error.
    case server
    /// The client was shut down.
    case closed
  }

  /// The class of the failure.
  package let kind: Kind
  /// What happened; for `.server` the words of Redis, which begin with a code such as `WRONGTYPE`.
  package let message: String

  init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  package var description: String { "redis \(kind.rawValue): \(message)" }

  /// The script is not in the server's cache.
  var isMissingScript: Bool { kind == .server && message.hasPrefix("NOSCRIPT") }
}
