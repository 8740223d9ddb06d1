import Dispatch
import Foundation

/// A blocking client socket that stays open over several requests.
final class KeptSocket: Sendable {
  private let descriptor: Int32

  init(_ port: UInt16) throws { descriptor = try RawSocket.connected(to: port) }

  deinit { close(descriptor) }

  func send(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes {
      _ = Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
  }

  /// What comes next; empty at the end of the connection.
  func receive() async -> [UInt8] {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async { [descriptor] in
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        continuation.resume(returning: Array(buffer.prefix(max(0, count))))
      }
    }
  }
}

/// HTTP/2 frames as they come on a socket.
struct FrameReader {
  struct Frame {
    let type: UInt8
    let flags: UInt8
    let stream: UInt32
    let payload: [UInt8]

    /// The last stream of a GOAWAY.
    var lastStream: UInt32 { payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }
  }

  private let socket: KeptSocket
  private var bytes: [UInt8] = []

  init(_ socket: KeptSocket) { self.socket = socket }

  /// The next frame of a type; nil when the connection has ended.
  mutating func next(_ type: UInt8) async -> Frame? {
    while true {
      while let frame = take() { if frame.type == type { return frame } }
      let more = await socket.receive()
      guard !more.isEmpty else { return nil }
      bytes += more
    }
  }

  private mutating func take() -> Frame? {
    guard bytes.count >= 9 else { return nil }
    let length = bytes[..<3].reduce(0) { $0 << 8 | Int($1) }
    guard bytes.count >= 9 + length else { return nil }
    defer { bytes.removeFirst(9 + length) }
    return Frame(
      type: bytes[3],
      flags: bytes[4],
      stream: bytes[5..<9].reduce(0) { $0 << 8 | UInt32($1) },
      payload: Array(bytes[9..<9 + length])
    )
  }

  static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [0, 0, UInt8(payload.count), type, flags, 0, 0, 0, stream] + payload
  }
}
