internal import HTTPCore

/// The client of one request, whatever protocol it speaks: where the answer goes.
///
/// Calls after the client has gone do nothing; ``write(_:)`` says so.
enum Client: Sendable {
  case http1(HTTP1Connection)
  case http2(HTTP2Connection, HTTP2Exchange)

  /// Sends a whole answer.
  func respond(_ response: EdgeResponse) async {
    switch self {
    case .http1(let connection): await connection.respond(response)
    case .http2(let connection, let exchange): await connection.respond(response, to: exchange)
    }
  }

  /// Starts an answer whose body follows by ``write(_:)``; `length` is its size, if known.
  func begin(_ head: HTTPResponseHead, length: Int? = nil) async {
    switch self {
    case .http1(let connection): await connection.begin(head, length: length)
    case .http2(let connection, let exchange):
      await connection.begin(head, length: length, of: exchange)
    }
  }

  /// Sends a piece of the body; waits while the client is slow.
  ///
  /// - Returns: False when the client has gone.
  func write(_ bytes: [UInt8]) async -> Bool {
    switch self {
    case .http1(let connection): await connection.write(bytes)
    case .http2(let connection, let exchange): await connection.write(bytes, to: exchange)
    }
  }

  /// Ends the body.
  func end() async {
    switch self {
    case .http1(let connection): await connection.end()
    case .http2(let connection, let exchange): await connection.end(exchange)
    }
  }

  /// Breaks the answer off, so that the client notices that it is not complete.
  func abort() async {
    switch self {
    case .http1(let connection): await connection.abort()
    case .http2(let connection, let exchange): await connection.abort(exchange)
    }
  }

  /// The next piece of a streamed body; nil at its end.
  ///
  /// - Throws: ``Problem`` when the body breaks a rule, `CancellationError` when the client has gone.
  func read() async throws -> [UInt8]? {
    switch self {
    case .http1(let connection): try await connection.read()
    case .http2(let connection, let exchange): try await connection.read(from: exchange)
    }
  }
}
