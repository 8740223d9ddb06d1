package import HTTPCore

/// How long an answer's body is.
package enum HTTP1ResponseBody: Sendable, Hashable {
  /// Exactly so many bytes.
  case length(Int)
  /// Unknown: chunks, or until the connection closes for HTTP/1.0.
  case stream
}

/// Serialises the answers of one HTTP/1.1 connection into byte arrays.
///
/// States: idle → head → (body)* → end → idle. It adds Date, Content-Length or
/// Transfer-Encoding, and Connection; fields of these names in a head are left out.
package struct HTTP1ResponseWriter {
  private enum State {
    case idle
    case fixed(remaining: Int)
    case chunked
    case untilClose
    case withoutBody
  }

  private var state = State.idle
  private var date = HTTPDateCache()
  /// False once the connection must close after the answer.
  package private(set) var keepAlive = true

  /// Makes a writer for one connection.
  package init() {}

  /// Writes `100 Continue`; the answer proper must still follow.
  package func appendContinue(to buffer: inout [UInt8]) {
    buffer.append(contentsOf: "HTTP/1.1 100 Continue\r\n\r\n".utf8)
  }

  /// Writes status line and fields.
  ///
  /// - Parameters:
  ///   - head: The answer; a field with a broken name is left out, and bytes of a value that
  ///     would end the line become spaces.
  ///   - exchange: The request that is answered.
  ///   - body: How long the body will be; ignored where none is allowed.
  ///   - unixSeconds: The wall clock, for Date.
  ///   - close: True to close the connection after the answer whatever the client wants.
  ///   - buffer: Where the bytes go.
  package mutating func appendHead(
    _ head: HTTPResponseHead,
    for exchange: HTTP1Exchange,
    body: HTTP1ResponseBody,
    unixSeconds: Int64,
    close: Bool = false,
    to buffer: inout [UInt8]
  ) {
    keepAlive = keepAlive && exchange.keepAlive && !close
    buffer.reserveCapacity(buffer.count + 512)
    appendStatusLine(head.status, to: &buffer)
    head.headers.forEachField { Self.appendField($0, $1, to: &buffer) }
    appendFraming(head.status, exchange, body, to: &buffer)
    if !keepAlive {
      buffer.append(contentsOf: "connection: close\r\n".utf8)
    } else if !exchange.isHTTP11 {
      buffer.append(contentsOf: "connection: keep-alive\r\n".utf8)
    }
    buffer.append(contentsOf: "date: ".utf8)
    date.append(unixSeconds: unixSeconds, to: &buffer)
    buffer.append(contentsOf: "\r\n\r\n".utf8)
  }

  /// Writes bytes of the body; more than the announced length is a programmer error.
  package mutating func appendBody(_ bytes: UnsafeRawBufferPointer, to buffer: inout [UInt8]) {
    switch state {
    case .fixed(let remaining):
      precondition(bytes.count <= remaining, "body longer than its Content-Length")
      state = .fixed(remaining: remaining - bytes.count)
      buffer.append(contentsOf: bytes)
    case .chunked where !bytes.isEmpty:
      buffer.append(contentsOf: String(bytes.count, radix: 16).utf8)
      buffer.append(contentsOf: "\r\n".utf8)
      buffer.append(contentsOf: bytes)
      buffer.append(contentsOf: "\r\n".utf8)
    case .untilClose:
      buffer.append(contentsOf: bytes)
    case .idle, .chunked, .withoutBody:
      break
    }
  }

  /// Writes bytes of the body.
  package mutating func appendBody(_ bytes: [UInt8], to buffer: inout [UInt8]) {
    bytes.withUnsafeBytes { appendBody($0, to: &buffer) }
  }

  /// Ends the answer; if its body is shorter than announced the connection must close.
  package mutating func appendEnd(to buffer: inout [UInt8]) {
    switch state {
    case .chunked: buffer.append(contentsOf: "0\r\n\r\n".utf8)
    case .fixed(let remaining) where remaining > 0: keepAlive = false
    case .idle, .fixed, .untilClose, .withoutBody: break
    }
    state = .idle
  }

  /// Gives up an answer under way: the client sees a cut body, never a complete one.
  package mutating func abort() {
    keepAlive = false
    state = .idle
  }

  private func appendStatusLine(_ status: HTTPStatus, to buffer: inout [UInt8]) {
    buffer.append(contentsOf: "HTTP/1.1 ".utf8)
    buffer.append(contentsOf: String(status.rawValue).utf8)
    buffer.append(ASCII.space)
    buffer.append(contentsOf: status.reasonPhrase.utf8)
    buffer.append(contentsOf: "\r\n".utf8)
  }

  private mutating func appendFraming(
    _ status: HTTPStatus,
    _ exchange: HTTP1Exchange,
    _ body: HTTP1ResponseBody,
    to buffer: inout [UInt8]
  ) {
    guard !status.forbidsBody else {
      state = .withoutBody
      return
    }
    switch body {
    case .length(let count):
      buffer.append(contentsOf: "content-length: ".utf8)
      buffer.append(contentsOf: String(count).utf8)
      buffer.append(contentsOf: "\r\n".utf8)
      state = exchange.isHead ? .withoutBody : .fixed(remaining: count)
    case .stream where exchange.isHTTP11:
      buffer.append(contentsOf: "transfer-encoding: chunked\r\n".utf8)
      state = exchange.isHead ? .withoutBody : .chunked
    case .stream:
      keepAlive = false
      state = exchange.isHead ? .withoutBody : .untilClose
    }
  }

  private static let ownFields = [
    "connection", "content-length", "transfer-encoding", "date", "keep-alive", "upgrade",
  ]

  private static func appendField(
    _ name: UnsafeRawBufferPointer,
    _ value: UnsafeRawBufferPointer,
    to buffer: inout [UInt8]
  ) {
    guard
      !name.isEmpty, name.allSatisfy(ASCII.isToken),
      !ownFields.contains(where: { $0.utf8.count == name.count && name.elementsEqual($0.utf8) })
    else { return }
    buffer.append(contentsOf: name)
    buffer.append(contentsOf: ": ".utf8)
    for byte in value {
      buffer.append(byte < 0x20 && byte != ASCII.tab || byte == 0x7F ? ASCII.space : byte)
    }
    buffer.append(contentsOf: "\r\n".utf8)
  }
}

/// Remembers the Date field's text for as long as the second lasts.
struct HTTPDateCache {
  private var second: Int64?
  private var text: [UInt8] = []

  mutating func append(unixSeconds: Int64, to buffer: inout [UInt8]) {
    if second != unixSeconds {
      text = Array(HTTPDate.format(unixSeconds: unixSeconds).utf8)
      second = unixSeconds
    }
    buffer.append(contentsOf: text)
  }
}
