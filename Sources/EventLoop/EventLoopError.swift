/// A failure of the event loop or of a name look-up.
package enum EventLoopError: Error, Sendable, CustomStringConvertible {
  /// A libuv call failed; `message` is libuv's own text for the code.
  case library(call: String, message: String)
  /// The name has no IPv4 or IPv6 address.
  case noAddress(host: String)
  /// The loop was stopped before the work could run.
  case stopped

  package var description: String {
    switch self {
    case .library(let call, let message): "\(call): \(message)"
    case .noAddress(let host): "no address for host '\(host)'"
    case .stopped: "the event loop is stopped"
    }
  }
}
