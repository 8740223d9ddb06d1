internal import EventLoop
internal import Net

/// Finds out which protocol a new connection speaks, then passes everything on.
///
/// With TLS the client has said so (ALPN). In clear text HTTP/2 begins with a preface that no
/// HTTP/1.1 request can begin with (RFC 9113 §3.4).
// @unchecked: confined to its connection's loop.
final class ConnectionStarter: TransportDelegate, @unchecked Sendable {
  private enum Target {
    case unknown
    case http1(HTTP1Connection)
    case http2(HTTP2Connection)
  }

  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  private let shard: EdgeShard
  private var target = Target.unknown
  private var first: [UInt8] = []

  init(shard: EdgeShard) {
    self.shard = shard
  }

  func transportDidOpen(_ transport: Transport) {
    switch transport.alpn {
    case "h2": startHTTP2(transport)
    case "http/1.1": startHTTP1(transport)
    default: if transport.isSecure { startHTTP1(transport) } else { shard.await(transport) }
    }
  }

  func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {
    if case .unknown = target { return sniff(bytes, transport) }
    pass(bytes)
  }

  private func sniff(_ bytes: UnsafeRawBufferPointer, _ transport: Transport) {
    first.append(contentsOf: bytes)
    let known = min(first.count, Self.preface.count)
    if !first[..<known].elementsEqual(Self.preface[..<known]) {
      startHTTP1(transport)
    } else if known == Self.preface.count {
      startHTTP2(transport)
    } else {
      return
    }
    let waiting = first
    first = []
    waiting.withUnsafeBytes { pass($0) }
  }

  private func pass(_ bytes: UnsafeRawBufferPointer) {
    switch target {
    case .http1(let connection): connection.receive(bytes)
    case .http2(let connection): connection.receive(bytes)
    case .unknown: break
    }
  }

  private func startHTTP1(_ transport: Transport) {
    let connection = HTTP1Connection(transport: transport, shard: shard)
    target = .http1(connection)
    shard.remember(connection, transport)
  }

  private func startHTTP2(_ transport: Transport) {
    do {
      let connection = try HTTP2Connection(transport: transport, shard: shard)
      target = .http2(connection)
      shard.remember(connection, transport)
    } catch {
      transport.close()
    }
  }

  func transportDidReceiveEOF(_ transport: Transport) {
    switch target {
    case .http1(let connection): connection.receiveEOF()
    case .http2, .unknown: transport.close()
    }
  }

  func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {
    switch target {
    case .http1(let connection): connection.fill(&buffer)
    case .http2(let connection): connection.fill(&buffer)
    case .unknown: break
    }
  }

  func transportDidClose(_ transport: Transport, error: NetError?) {
    switch target {
    case .http1(let connection): connection.didClose(error)
    case .http2(let connection): connection.didClose(error)
    case .unknown:
      shard.forget(transport)
      noteHandshake(error, transport)
    }
    target = .unknown
  }

  /// TLS did not come to an end, or not in time.
  private func noteHandshake(_ error: NetError?, _ transport: Transport) {
    switch error {
    case .tls, .timeout:
      let reason = error.map { "\($0)" } ?? ""
      shard.connectionEnded("tls_handshake", reason, transport.peerAddress)
    default: break
    }
  }
}
