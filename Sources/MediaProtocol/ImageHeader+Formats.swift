/// Pixels as a header declares them.
typealias PixelSize = (width: Int, height: Int)

/// PNG (ISO/IEC 15948): a signature, then chunks; `IHDR` first, `IEND` last, nothing behind it.
enum PNGHeader {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  static func size(of bytes: [UInt8]) throws(MediaError) -> PixelSize {
    var reader = ByteReader(bytes, at: signature.count)
    let length = try reader.bigEndian(4)
    guard length == 13, try reader.tag() == Array("IHDR".utf8) else {
      throw .damaged("it has no header")
    }
    let size = (width: try reader.bigEndian(4), height: try reader.bigEndian(4))
    guard size.width <= Int(Int32.max), size.height <= Int(Int32.max) else {
      throw .damaged("its size is impossible")
    }
    try checkLayout(&reader)
    return size
  }

  /// Walks the chunks to `IEND`.
  static func checkEnd(of bytes: [UInt8]) throws(MediaError) {
    var reader = ByteReader(bytes, at: signature.count)
    var hasData = false
    while true {
      let length = try reader.bigEndian(4)
      let tag = try reader.tag()
      try reader.skip(length)
      try reader.skip(4)
      if tag == Array("IDAT".utf8) { hasData = true }
      if tag == Array("IEND".utf8) { break }
    }
    guard hasData else { throw .damaged("it has no pixels") }
    guard reader.remaining == 0 else { throw .damaged("something else follows it") }
  }

  private static func checkLayout(_ reader: inout ByteReader) throws(MediaError) {
    let depth = try reader.byte()
    let color = try reader.byte()
    let depths: [Int: Set<Int>] = [
      0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16],
    ]
    guard depths[color]?.contains(depth) == true else { throw .damaged("its header is illegal") }
    let compression = try reader.byte()
    let filter = try reader.byte()
    let interlace = try reader.byte()
    guard compression == 0, filter == 0, interlace <= 1 else {
      throw .damaged("its header is illegal")
    }
  }
}

/// JPEG (ITU-T T.81): marker segments to the first start of frame, then to the first scan.
enum JPEGHeader {
  static func size(of bytes: [UInt8]) throws(MediaError) -> PixelSize {
    var reader = ByteReader(bytes, at: 2)
    while true {
      let marker = try nextMarker(&reader)
      switch marker {
      case 0xC0, 0xC1, 0xC2:
        return try frame(&reader)
      case 0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF:
        throw .damaged("its coding is not supported")
      case 0xD8, 0xD9, 0xDA, 0xD0...0xD7, 0x00, 0x01:
        throw .damaged("its header is illegal")
      default:
        let length = try reader.bigEndian(2)
        guard length >= 2 else { throw .damaged("its header is illegal") }
        try reader.skip(length - 2)
      }
    }
  }

  /// Looks for the marker that ends the picture; what cameras append may follow.
  static func checkEnd(of bytes: [UInt8]) throws(MediaError) {
    var position = bytes.count - 1
    while position > 0 {
      if bytes[position] == 0xD9, bytes[position - 1] == 0xFF { return }
      position -= 1
    }
    throw .truncated
  }

  private static func nextMarker(_ reader: inout ByteReader) throws(MediaError) -> Int {
    guard try reader.byte() == 0xFF else { throw .damaged("its header is illegal") }
    var marker = try reader.byte()
    while marker == 0xFF { marker = try reader.byte() }
    return marker
  }

  private static func frame(_ reader: inout ByteReader) throws(MediaError) -> PixelSize {
    let length = try reader.bigEndian(2)
    let depth = try reader.byte()
    let height = try reader.bigEndian(2)
    let width = try reader.bigEndian(2)
    let components = try reader.byte()
    guard depth == 8, [1, 3, 4].contains(components), length == 8 + 3 * components else {
      throw .damaged("its coding is not supported")
    }
    try reader.skip(3 * components)
    return (width, height)
  }
}

/// WebP (RFC 9649): a RIFF container with one `VP8 `, `VP8L` or `VP8X` chunk first.
enum WebPHeader {
  static func size(of bytes: [UInt8]) throws(MediaError) -> PixelSize {
    var reader = ByteReader(bytes, at: 12)
    let tag = try reader.tag()
    try reader.skip(4)
    switch String(decoding: tag, as: UTF8.self) {
    case "VP8X": return try extended(&reader)
    case "VP8L": return try lossless(&reader)
    case "VP8 ": return try lossy(&reader)
    default: throw .damaged("its header is illegal")
    }
  }

  /// Compares the container's length with the file's.
  static func checkEnd(of bytes: [UInt8]) throws(MediaError) {
    var reader = ByteReader(bytes, at: 4)
    let declared = try reader.littleEndian(4) + 8
    guard declared <= bytes.count else { throw .truncated }
    guard bytes.count <= declared + declared % 2 else {
      throw .damaged("something else follows it")
    }
  }

  private static func extended(_ reader: inout ByteReader) throws(MediaError) -> PixelSize {
    try reader.skip(4)
    return (try reader.littleEndian(3) + 1, try reader.littleEndian(3) + 1)
  }

  private static func lossless(_ reader: inout ByteReader) throws(MediaError) -> PixelSize {
    guard try reader.byte() == 0x2F else { throw .damaged("its header is illegal") }
    let bits = try reader.littleEndian(4)
    return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
  }

  private static func lossy(_ reader: inout ByteReader) throws(MediaError) -> PixelSize {
    let isInterFrame = try reader.littleEndian(3) & 1 == 1
    guard !isInterFrame, try reader.bigEndian(3) == 0x9D012A else {
      throw .damaged("its header is illegal")
    }
    return (try reader.littleEndian(2) & 0x3FFF, try reader.littleEndian(2) & 0x3FFF)
  }
}

/// GIF (GIF89a): only the first frame counts; it must lie inside the screen and be whole.
enum GIFHeader {
  static func size(of bytes: [UInt8]) throws(MediaError) -> PixelSize {
    var reader = ByteReader(bytes, at: 6)
    return (try reader.littleEndian(2), try reader.littleEndian(2))
  }

  /// Walks the blocks to the end of the first frame.
  static func checkEnd(of bytes: [UInt8]) throws(MediaError) {
    var reader = ByteReader(bytes, at: 6)
    let screen = (width: try reader.littleEndian(2), height: try reader.littleEndian(2))
    try skipColors(&reader, flags: try reader.byte(), between: 2)
    while true {
      switch try reader.byte() {
      case 0x21:
        try reader.skip(1)
        try skipBlocks(&reader)
      case 0x2C:
        let left = try reader.littleEndian(2)
        let top = try reader.littleEndian(2)
        let width = try reader.littleEndian(2)
        let height = try reader.littleEndian(2)
        guard left + width <= screen.width, top + height <= screen.height else {
          throw .damaged("its first frame leaves the screen")
        }
        try skipColors(&reader, flags: try reader.byte(), between: 0)
        try reader.skip(1)
        return try skipBlocks(&reader)
      default:
        throw .damaged("it has no frame")
      }
    }
  }

  private static func skipColors(
    _ reader: inout ByteReader,
    flags: Int,
    between: Int
  ) throws(MediaError) {
    try reader.skip(between)
    if flags & 0x80 != 0 { try reader.skip(3 << ((flags & 7) + 1)) }
  }

  private static func skipBlocks(_ reader: inout ByteReader) throws(MediaError) {
    while true {
      let length = try reader.byte()
      if length == 0 { return }
      try reader.skip(length)
    }
  }
}
