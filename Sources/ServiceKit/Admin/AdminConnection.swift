internal import EventLoop
internal import Foundation
internal import HTTP1
internal import HTTPCore
internal import Net

/// One HTTP/1.1 connection of the admin port: one request at a time, no bodies.
// @unchecked: confined to its loop; the answering task runs there, too.
final class AdminConnection: TransportDelegate, @unchecked Sendable {
  private let loop: EventLoop
  private let routes: AdminRoutes
  private let parser: HTTP1RequestParser
  private var writer = HTTP1ResponseWriter()
  private var transport: Transport?
  private var output: [UInt8] = []
  private var backlog: [UInt8] = []
  private var isAnswering = false
  private var idle: LoopTimer?

  /// Input kept while an answer is under way.
  private static let maxBacklogBytes = 64 * 1024
  /// A connection that is silent for so long is closed.
  private static let idleTimeout: Duration = .seconds(30)

  init(loop: EventLoop, routes: AdminRoutes) {
    self.loop = loop
    self.routes = routes
    var limits = HTTP1Limits()
    limits.bodyBytes = 1_024
    parser = HTTP1RequestParser(limits: limits)
  }

  func transportDidOpen(_ transport: Transport) {
    self.transport = transport
    restartIdleTimer()
  }

  func transport(_ transport: Transport, didReceive bytes: UnsafeRawBufferPointer) {
    guard backlog.count + bytes.count <= Self.maxBacklogBytes else { return transport.close() }
    backlog.append(contentsOf: bytes)
    parse()
  }

  func transportDidReceiveEOF(_ transport: Transport) {
    isAnswering ? transport.closeAfterFlush() : transport.close()
  }

  func transport(_ transport: Transport, fill buffer: inout OutputBuffer) {
    buffer.append(output)
    output = []
  }

  func transportDidClose(_ transport: Transport, error: NetError?) {
    idle?.cancel()
    self.transport = nil
  }

  private func restartIdleTimer() {
    idle?.cancel()
    idle = loop.schedule(after: Self.idleTimeout) { [self] in transport?.close() }
  }

  private func parse() {
    guard !isAnswering else { return }
    let input = backlog
    let rest = input.withUnsafeBytes { buffer in
      var rest = buffer
      advance(&rest)
      return Array(rest)
    }
    backlog = rest
  }

  private func advance(_ input: inout UnsafeRawBufferPointer) {
    while !isAnswering {
      switch parser.next(&input) {
      case .needMoreBytes: return
      case .head(let head, let exchange): answer(head, exchange)
      case .body, .end: break
      case .failure(let failure):
        send(
          AdminRoutes.Answer(status: failure.status, body: []),
          for: HTTP1Exchange()
        )
        return
      }
    }
  }

  private func answer(_ head: HTTPRequestHead, _ exchange: HTTP1Exchange) {
    isAnswering = true
    let method = head.method
    let path = String(decoding: head.path, as: UTF8.self)
    Task(executorPreference: loop) { [self] in
      let answer = await routes.answer(method, path: path)
      isAnswering = false
      send(answer, for: exchange)
      parse()
    }
  }

  private func send(_ answer: AdminRoutes.Answer, for exchange: HTTP1Exchange) {
    guard let transport else { return }
    let head = HTTPResponseHead(
      status: answer.status,
      headers: ["content-type": answer.contentType, "cache-control": "no-store"]
    )
    writer.appendHead(
      head,
      for: exchange,
      body: .length(answer.body.count),
      unixSeconds: Int64(time(nil)),
      to: &output
    )
    if !exchange.isHead { writer.appendBody(answer.body, to: &output) }
    writer.appendEnd(to: &output)
    restartIdleTimer()
    writer.keepAlive ? transport.setNeedsFlush() : transport.closeAfterFlush()
  }
}
