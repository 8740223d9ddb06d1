/// Small pictures made byte by byte, good and bad.
enum SamplePictures {
  /// A PNG whose header says `width` × `height`; its pixels are not worth decoding.
  static func png(width: Int, height: Int, depth: UInt8 = 8, color: UInt8 = 2) -> [UInt8] {
    let header = bigEndian(width) + bigEndian(height) + [depth, color, 0, 0, 0]
    let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    return signature + chunk("IHDR", header) + chunk("IDAT", [1, 2, 3]) + chunk("IEND", [])
  }

  /// A JPEG that ends after its frame header.
  static func jpeg(width: Int, height: Int, marker: UInt8 = 0xC0) -> [UInt8] {
    let size = Array(bigEndian(height)[2...]) + Array(bigEndian(width)[2...])
    let comment: [UInt8] = [0xFF, 0xFE, 0, 4, 0xFF, 0xC0]
    let frame: [UInt8] = [0xFF, marker, 0, 17, 8] + size + [3] + [UInt8](repeating: 1, count: 9)
    return [0xFF, 0xD8] + comment + frame + [0xFF, 0xDA, 0, 2, 1, 2, 3, 0xFF, 0xD9]
  }

  /// A GIF of one colour, decodable, with `frames` frames.
  static func gif(width: Int, height: Int, frames: Int = 1) -> [UInt8] {
    let size = littleEndian(width) + littleEndian(height)
    let palette = (0..<128).flatMap { [UInt8($0), UInt8(2 * $0), UInt8(255 - $0)] }
    // 8-bit codes: a clear code before the table would grow, so that every code stays a byte.
    var codes: [UInt8] = []
    for position in 0..<(width * height) {
      if position % 100 == 0 { codes.append(0x80) }
      codes.append(5)
    }
    codes.append(0x81)
    var blocks: [UInt8] = []
    for start in stride(from: 0, to: codes.count, by: 255) {
      let block = codes[start..<min(start + 255, codes.count)]
      blocks += [UInt8(block.count)] + block
    }
    let frame: [UInt8] = [0x2C, 0, 0, 0, 0] + size + [0, 7] + blocks + [0]
    let control: [UInt8] = [0x21, 0xF9, 4, 0, 0, 0, 0, 0]
    let body = (0..<frames).flatMap { _ in control + frame }
    return Array("GIF89a".utf8) + size + [0x86, 0, 0] + palette + body + [0x3B]
  }

  /// A 72 × 64 WebP of one colour, decodable: an extended container around a lossless picture.
  static let webp: [UInt8] = {
    let extended: [UInt8] = [0, 0, 0, 0, 71, 0, 0, 63, 0, 0]
    return riff(chunkLE("VP8X", extended) + chunkLE("VP8L", lossless))
  }()

  /// The same without the extended header.
  static let simpleWebP = riff(chunkLE("VP8L", lossless))

  /// A bare lossy header, 100 × 80.
  static let lossyWebP = riff(
    chunkLE("VP8 ", [0xF0, 0x03, 0, 0x9D, 0x01, 0x2A, 100, 0, 80, 0, 1, 2])
  )

  /// A PNG with the start of an archive behind it.
  static let pngWithArchive = png(width: 640, height: 480) + Array("PK\u{3}\u{4}".utf8)

  /// A WebP with bytes behind its container.
  static let webpWithTrailer = webp + [1, 2, 3]

  private static let lossless: [UInt8] = [
    0x2F, 0x47, 0xC0, 0x0F, 0x00, 0x07, 0x50, 0x94, 0x22, 0x57, 0xAB, 0xFF, 0x01, 0x20, 0x21,
    0xFC, 0x9F, 0x2F, 0x45, 0xF4, 0x3F, 0xF5, 0x01,
  ]

  private static func riff(_ chunks: [UInt8]) -> [UInt8] {
    Array("RIFF".utf8) + Array(bigEndian(chunks.count + 4).reversed()) + Array("WEBP".utf8) + chunks
  }

  private static func chunkLE(_ tag: String, _ payload: [UInt8]) -> [UInt8] {
    let padding = [UInt8](repeating: 0, count: payload.count % 2)
    return Array(tag.utf8) + bigEndian(payload.count).reversed() + payload + padding
  }

  private static func chunk(_ tag: String, _ payload: [UInt8]) -> [UInt8] {
    bigEndian(payload.count) + Array(tag.utf8) + payload + [0, 0, 0, 0]
  }

  private static func bigEndian(_ value: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  private static func littleEndian(_ value: Int) -> [UInt8] {
    [0, 8].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}
