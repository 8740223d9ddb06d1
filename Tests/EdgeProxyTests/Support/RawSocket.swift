import Dispatch
import Foundation

/// A blocking client socket, since tests of a server's framing must choose every byte themselves.
enum RawSocket {
  struct Failure: Error { let call: String }

  /// Sends `bytes`, then reads until the server closes or is silent for ten seconds.
  static func exchange(
    _ bytes: [UInt8],
    _ port: UInt16,
    until isEnough: @escaping @Sendable ([UInt8]) -> Bool = { _ in false }
  ) async throws -> [UInt8] {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(with: Result { try blocking(bytes, port, isEnough) })
      }
    }
  }

  /// A descriptor that its caller closes.
  static func connected(to port: UInt16) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      close(descriptor)
      throw Failure(call: "connect")
    }
    return descriptor
  }

  private static func blocking(
    _ bytes: [UInt8],
    _ port: UInt16,
    _ isEnough: ([UInt8]) -> Bool
  ) throws -> [UInt8] {
    let descriptor = try connected(to: port)
    defer { close(descriptor) }
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(
      descriptor,
      SOL_SOCKET,
      SO_RCVTIMEO,
      &patience,
      socklen_t(MemoryLayout<timeval>.size)
    )
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      // A server may refuse before it has read everything.
      guard count > 0 else { break }
      sent += count
    }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while !isEnough(received) {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { break }
      received += buffer[..<count]
    }
    return received
  }
}

/// An HTTP/1.1 answer, taken apart.
struct RawResponse {
  let status: Int
  /// Names in lower case; the last of several wins.
  let headers: [String: String]
  let body: String

  init(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    let lines = (parts.first ?? "").split(separator: "\r\n")
    status =
      lines.first.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      headers[line[..<colon].lowercased()] = String(value)
    }
    self.headers = headers
    let rest = parts.count > 1 ? String(parts[1]) : ""
    body = headers["transfer-encoding"] == "chunked" ? Self.unchunked(rest) : rest
  }

  private static func unchunked(_ text: String) -> String {
    var rest = Substring(text)
    var body = ""
    while let end = rest.range(of: "\r\n"), let count = Int(rest[..<end.lowerBound], radix: 16),
      count > 0
    {
      let bytes = Array(rest[end.upperBound...].utf8)
      guard bytes.count >= count + 2 else { break }
      body += String(decoding: bytes[..<count], as: UTF8.self)
      rest = Substring(String(decoding: bytes[(count + 2)...], as: UTF8.self))
    }
    return body
  }

  /// The `error_code` of the body.
  var errorCode: String? {
    guard let range = body.range(of: #""error_code":""#) else { return nil }
    return String(body[range.upperBound...].prefix { $0 != "\"" })
  }
}
