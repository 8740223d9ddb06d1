#if canImport(Glibc)
  internal import Glibc
  private let (systemRead, systemWrite) = (Glibc.read, Glibc.write)
#elseif canImport(Darwin)
  internal import Darwin
  private let (systemRead, systemWrite) = (Darwin.read, Darwin.write)
#endif

/// Frames on standard input and output; an end of the input inside a frame ends the program's work.
struct Frames {
  private static let maximumBytes = 256 << 20

  /// The next request; nil at the end of the input or at a frame that is none.
  mutating func next() -> Request? {
    guard let head = read(4) else { return nil }
    let count = head.reduce(0) { $0 << 8 | Int($1) }
    guard (2...Self.maximumBytes).contains(count), let frame = read(count),
      let operation = Operation(rawValue: frame[0]), Int(frame[1]) + 2 <= count
    else { return nil }
    let name = 2..<(2 + Int(frame[1]))
    return Request(
      operation: operation,
      type: String(decoding: frame[name], as: UTF8.self),
      payload: Array(frame[name.upperBound...])
    )
  }

  mutating func reply(_ status: UInt8, _ result: [UInt8]) {
    let count = UInt32(result.count + 1).bigEndian
    var frame = withUnsafeBytes(of: count) { Array($0) }
    frame.append(status)
    frame += result
    var sent = 0
    while sent < frame.count {
      let count = frame.withUnsafeBytes { bytes in
        systemWrite(1, bytes.baseAddress.map { $0 + sent }, bytes.count - sent)
      }
      guard count > 0 else { exit(1) }
      sent += count
    }
  }

  private func read(_ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var got = 0
    while got < count {
      let more = bytes.withUnsafeMutableBytes { buffer in
        systemRead(0, buffer.baseAddress.map { $0 + got }, count - got)
      }
      guard more > 0 else { return nil }
      got += more
    }
    return bytes
  }
}
