package import EventLoop
package import Logging
internal import Metrics
internal import Synchronization

/// Counts and logs connections and streams that were ended because of their peer.
///
/// `http2_connections_ended_total` and `http2_streams_ended_total`, by port (`rpc`, `edge`) and kind;
/// one log line a connection, none for a stream. The kinds are a fixed list: docs/rpc.md.
package final class ConnectionEnds: Sendable {
  private let port: String
  private let logger: Logger
  private let connections = Mutex<[String: Counter]>([:])
  private let streams = Mutex<[String: Counter]>([:])

  /// Counts for one kind of port.
  package init(port: String, logger: Logger) {
    self.port = port
    self.logger = logger
  }

  /// Notes an ended connection.
  ///
  /// One that was merely out of use is no warning.
  package func connectionEnded(
    kind: String,
    reason: String,
    peer: SocketAddress,
    isIdle: Bool = false
  ) {
    count(kind, connections, "http2_connections_ended_total")
    logger.log(
      level: isIdle ? .debug : .warning,
      "connection ended",
      metadata: ["port": "\(port)", "kind": "\(kind)", "reason": "\(reason)", "peer": "\(peer)"]
    )
  }

  /// Notes a stream that was ended while its connection goes on.
  package func streamEnded(kind: String) {
    count(kind, streams, "http2_streams_ended_total")
  }

  private func count(
    _ kind: String,
    _ counters: borrowing Mutex<[String: Counter]>,
    _ label: String
  ) {
    let counter = counters.withLock { counters in
      if let known = counters[kind] { return known }
      let counter = Counter(label: label, dimensions: [("port", port), ("kind", kind)])
      counters[kind] = counter
      return counter
    }
    counter.increment()
  }
}
