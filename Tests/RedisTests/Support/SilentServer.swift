import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A server that accepts connections, gives a fixed number of answers and then says nothing.
final class SilentServer: Sendable {
  let port: UInt16
  private let descriptor: Int32

  /// Listens on a port of the system's choice and answers `answers` times on each connection.
  init(answers: Int) throws {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(socket, pointer, length) == 0 && listen(socket, 16) == 0
          && getsockname(socket, pointer, &length) == 0
      }
    }
    guard isListening else { throw CocoaError(.featureUnsupported) }
    descriptor = socket
    port = UInt16(bigEndian: address.sin_port)
    Thread { Self.serve(socket, answers) }.start()
  }

  /// One connection after the other, which stays open afterwards.
  private static func serve(_ socket: Int32, _ answers: Int) {
    while true {
      let connection = accept(socket, nil, nil)
      guard connection >= 0 else { return }
      var buffer = [UInt8](repeating: 0, count: 1_024)
      for _ in 0..<answers {
        guard read(connection, &buffer, buffer.count) > 0 else { break }
        _ = write(connection, "+PONG\r\n", 7)
      }
    }
  }

  func close() {
    shutdown(descriptor, Int32(SHUT_RDWR))
    _ = Foundation.close(descriptor)
  }
}
