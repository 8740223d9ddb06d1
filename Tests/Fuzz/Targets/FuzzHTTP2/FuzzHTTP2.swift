internal import CFuzzer
internal import HTTP2
@testable internal import Net

@main
enum FuzzHTTP2 {
  static func main() {
    cfuzzer_main(CommandLine.argc, CommandLine.unsafeArgv) { fuzz($0, $1) }
  }
}

/// The first byte chooses the role and the size of the pieces; the rest is what the peer sends.
private func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let bytes, count > 1 else { return 0 }
  let choice = bytes[0]
  let input = UnsafeRawBufferPointer(start: bytes + 1, count: count - 1)
  guard let connection = try? Connection(role: choice & 0x80 == 0 ? .server : .client) else {
    fatalError("no session")
  }
  if choice & 0x40 == 0 { connection.greet() }
  connection.receive(input, pieces: choice & 0x20 == 0 ? input.count : Int(choice & 0x1F) + 1)
  connection.end()
  return 0
}

/// A session and what its owner does: echo, reset now and then, shut down at the end.
private final class Connection: HTTP2StreamHandler {
  private let session: HTTP2Session
  private var ended: [HTTP2Stream] = []
  private var data = 0
  private var isAlive = true

  init(role: HTTP2Session.Role) throws {
    session = try HTTP2Session(role: role)
    session.onStreamOpened = { [unowned self] stream in stream.handler = self }
    if role == .client { try request() }
  }

  private func request() throws {
    let head: HeaderBlock = [
      ":method": "POST", ":scheme": "http", ":path": "/", ":authority": "localhost",
    ]
    let stream = try session.submitRequest(head, endStream: false, handler: self)
    session.send(stream, [UInt8](repeating: 1, count: 100))
    session.finish(stream, trailers: ["a": "b"])
    _ = try session.submitRequest(head, endStream: true, handler: self)
    flush()
  }

  /// The client's preface, if we are the server, and an empty SETTINGS frame.
  func greet() {
    var bytes: [UInt8] = []
    if session.role == .server { bytes += Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) }
    bytes += [0, 0, 0, 4, 0, 0, 0, 0, 0]
    bytes.withUnsafeBytes { receive($0, pieces: $0.count) }
  }

  func receive(_ input: UnsafeRawBufferPointer, pieces size: Int) {
    var start = 0
    while start < input.count, isAlive {
      let end = min(start + size, input.count)
      if (try? session.receive(UnsafeRawBufferPointer(rebasing: input[start..<end]))) == nil {
        isAlive = false
      }
      start = end
      answer()
      flush()
    }
  }

  private func answer() {
    for stream in ended {
      if stream.id % 7 == 0 {
        session.reset(stream, .cancel)
      } else if session.role == .server {
        session.submitResponse(stream, [":status": "200"], endStream: false)
        session.send(stream, [UInt8](repeating: 2, count: data & 0xFFFF))
        session.finish(stream, trailers: ["grpc-status": "0"])
      }
      session.consume(stream, data)
    }
    ended = []
    data = 0
  }

  private func flush() {
    var output = OutputBuffer()
    if (try? session.fill(&output)) == nil { isAlive = false }
  }

  func end() {
    _ = try? session.tick(.now)
    session.announceShutdown()
    flush()
    session.goAway()
    flush()
    session.closeAllStreams(.cancel)
  }

  func stream(_ stream: HTTP2Stream, didReceiveHeaders block: HeaderBlock) {
    for field in block.fields { data += field.name.utf8.count }
    _ = block.first(":path")
  }

  func streamDidReceiveOversizedHeaders(_ stream: HTTP2Stream) { ended.append(stream) }

  func stream(_ stream: HTTP2Stream, didReceiveData bytes: UnsafeRawBufferPointer) {
    data += bytes.reduce(0) { $0 + Int($1 & 1) }
  }

  func streamDidReceiveEnd(_ stream: HTTP2Stream) { ended.append(stream) }

  func streamDidDrain(_ stream: HTTP2Stream) {}

  func stream(_ stream: HTTP2Stream, didClose code: HTTP2ErrorCode) {}
}
