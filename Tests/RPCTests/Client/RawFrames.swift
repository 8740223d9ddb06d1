/// HTTP/2 frames by hand, for peers that break the rules (RFC 9113 §6).
enum RawFrames {
  static let endStream: UInt8 = 0x1
  static let endHeaders: UInt8 = 0x4

  static func frame(_ type: UInt8, _ flags: UInt8, _ stream: Int32, _ payload: [UInt8]) -> [UInt8] {
    let count = payload.count
    let head = [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
    return head + withUnsafeBytes(of: stream.bigEndian) { Array($0) } + payload
  }

  static func data(_ stream: Int32, _ bytes: [UInt8], end: Bool = false) -> [UInt8] {
    frame(0, end ? endStream : 0, stream, bytes)
  }

  /// A whole block, each field spelled out and not remembered (RFC 7541 §6.2.2).
  static func headers(
    _ stream: Int32,
    _ fields: KeyValuePairs<String, String>,
    end: Bool = false
  ) -> [UInt8] {
    var block: [UInt8] = []
    for (name, value) in fields { block += [0] + text(name) + text(value) }
    return frame(1, endHeaders | (end ? endStream : 0), stream, block)
  }

  static func reset(_ stream: Int32, _ code: UInt32) -> [UInt8] {
    frame(3, 0, stream, withUnsafeBytes(of: code.bigEndian) { Array($0) })
  }

  static func goAway(last: Int32, _ code: UInt32) -> [UInt8] {
    let id = withUnsafeBytes(of: last.bigEndian) { Array($0) }
    return frame(7, 0, 0, id + withUnsafeBytes(of: code.bigEndian) { Array($0) })
  }

  /// Shorter than 127 bytes.
  private static func text(_ text: String) -> [UInt8] {
    [UInt8(text.utf8.count)] + Array(text.utf8)
  }
}
