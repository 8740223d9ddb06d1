/// Formats that are accepted as input.
package enum ImageFormat: String, Sendable, Hashable, Codable, CaseIterable {
  case jpeg, png, webp, gif

  /// The media type.
  package var contentType: String { "image/\(rawValue)" }
}

/// What the head of a picture says, read without decoding a pixel.
///
/// Pure Swift, bounds-checked, without allocation in proportion to the input: fit for the gateway.
/// The format is decided by the leading bytes alone, never by a name or a declared type.
package struct ImageHeader: Sendable, Hashable {
  /// The format that the bytes have.
  package let format: ImageFormat
  /// Width in pixels as stored, before any rotation that EXIF asks for.
  package let width: Int
  /// Height in pixels as stored.
  package let height: Int

  /// Reads the header of a whole file.
  ///
  /// - Throws: ``MediaError`` `IMAGE_TYPE_UNSUPPORTED` for known formats that are not accepted,
  ///   `IMAGE_INVALID` for everything else that is no picture.
  package init(parsing bytes: [UInt8]) throws(MediaError) {
    guard let format = Self.sniff(bytes) else { throw Self.refusal(of: bytes) }
    let size =
      switch format {
      case .png: try PNGHeader.size(of: bytes)
      case .jpeg: try JPEGHeader.size(of: bytes)
      case .webp: try WebPHeader.size(of: bytes)
      case .gif: try GIFHeader.size(of: bytes)
      }
    guard size.width > 0, size.height > 0 else { throw .damaged("it has no pixels") }
    self.format = format
    width = size.width
    height = size.height
  }

  /// Checks a file's size and dimensions.
  ///
  /// - Throws: ``MediaError`` `IMAGE_TOO_LARGE` or `IMAGE_TOO_SMALL`.
  package func check(against limits: ImageLimits) throws(MediaError) {
    let measured = "The picture measures \(width) × \(height)"
    guard max(width, height) <= limits.maximumSide else {
      throw MediaError(.imageTooLarge, "\(measured); no side may exceed \(limits.maximumSide).")
    }
    guard width * height <= limits.maximumPixels else {
      throw MediaError(
        .imageTooLarge,
        "\(measured); it may have at most \(limits.maximumPixels) pixels."
      )
    }
    guard min(width, height) >= limits.minimumSide else {
      let message = "\(measured); no side may be shorter than \(limits.minimumSide)."
      throw MediaError(.imageTooSmall, message)
    }
  }

  /// Checks that the file is whole and that nothing is hidden behind the picture.
  ///
  /// PNG is walked to its last chunk, WebP by its container's length, GIF to the end of its first
  /// frame. Cameras append to JPEG files, so there only the end of the picture must be present.
  /// - Throws: ``MediaError`` `IMAGE_INVALID`.
  package func checkWholeness(of bytes: [UInt8]) throws(MediaError) {
    switch format {
    case .png: try PNGHeader.checkEnd(of: bytes)
    case .jpeg: try JPEGHeader.checkEnd(of: bytes)
    case .webp: try WebPHeader.checkEnd(of: bytes)
    case .gif: try GIFHeader.checkEnd(of: bytes)
    }
  }

  /// Reads and checks in one step: everything that can be refused before decoding.
  ///
  /// Dimensions come before wholeness: a huge picture is refused for its size.
  /// - Throws: As the two steps do, with `position` as the error's picture.
  package static func inspect(
    _ bytes: [UInt8],
    limits: ImageLimits,
    position: Int? = nil
  ) throws(MediaError) -> ImageHeader {
    do throws(MediaError) {
      guard bytes.count <= limits.maximumBytes else {
        let message = "The picture has more than \(limits.maximumBytes) bytes."
        throw MediaError(.imageTooLarge, message)
      }
      let header = try ImageHeader(parsing: bytes)
      try header.check(against: limits)
      try header.checkWholeness(of: bytes)
      return header
    } catch {
      var located = error
      located.image = position
      throw located
    }
  }

  /// The format by the leading bytes, or nil.
  package static func sniff(_ bytes: [UInt8]) -> ImageFormat? {
    if bytes.starts(with: PNGHeader.signature) { return .png }
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return .jpeg }
    if bytes.starts(with: "GIF87a".utf8) || bytes.starts(with: "GIF89a".utf8) { return .gif }
    if bytes.starts(with: "RIFF".utf8), bytes.dropFirst(8).starts(with: "WEBP".utf8) {
      return .webp
    }
    return nil
  }

  /// Why bytes that are none of the accepted formats are refused.
  private static func refusal(of bytes: [UInt8]) -> MediaError {
    let known: [(name: String, start: [UInt8])] = [
      ("TIFF", [0x49, 0x49, 0x2A, 0]), ("TIFF", [0x4D, 0x4D, 0, 0x2A]), ("BMP", [0x42, 0x4D]),
      ("PDF", Array("%PDF".utf8)), ("ICO", [0, 0, 1, 0]), ("Photoshop", Array("8BPS".utf8)),
      ("JPEG XL", [0xFF, 0x0A]), ("JPEG XL", [0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20]),
      ("JPEG 2000", [0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20]),
    ]
    let isHEIF = bytes.dropFirst(4).starts(with: "ftyp".utf8)
    let head = bytes.prefix(512).map { $0 | 0x20 }
    let isSVG = head.starts(with: "<?xml".utf8) || contains(head, "<svg")
    let name =
      isHEIF
      ? "HEIF or AVIF" : isSVG ? "SVG" : known.first { bytes.starts(with: $0.start) }?.name
    guard let name else {
      return MediaError(.imageInvalid, "The file is not a JPEG, PNG, WebP or GIF picture.")
    }
    return MediaError(
      .imageTypeUnsupported,
      "\(name) is not accepted; send a JPEG, PNG, WebP or GIF picture."
    )
  }

  private static func contains(_ bytes: [UInt8], _ text: String) -> Bool {
    let needle = Array(text.utf8)
    guard bytes.count >= needle.count else { return false }
    return (0...(bytes.count - needle.count)).contains { bytes[$0...].starts(with: needle) }
  }
}

extension MediaError {
  /// A picture that is not what its first bytes promise.
  static func damaged(_ why: String) -> MediaError {
    MediaError(.imageInvalid, "The picture is damaged: \(why).")
  }

  /// A picture whose file ends too early.
  static var truncated: MediaError { damaged("the file ends too early") }
}

/// A position in bytes from outside; reading past the end throws.
struct ByteReader {
  let bytes: [UInt8]
  private(set) var offset: Int

  init(_ bytes: [UInt8], at offset: Int = 0) {
    self.bytes = bytes
    self.offset = offset
  }

  var remaining: Int { bytes.count - offset }

  mutating func skip(_ count: Int) throws(MediaError) {
    guard count >= 0, count <= remaining else { throw .truncated }
    offset += count
  }

  mutating func byte() throws(MediaError) -> Int {
    guard remaining > 0 else { throw .truncated }
    defer { offset += 1 }
    return Int(bytes[offset])
  }

  mutating func bigEndian(_ count: Int) throws(MediaError) -> Int {
    var value = 0
    for _ in 0..<count { value = value << 8 | (try byte()) }
    return value
  }

  mutating func littleEndian(_ count: Int) throws(MediaError) -> Int {
    var value = 0
    for position in 0..<count { value |= (try byte()) << (8 * position) }
    return value
  }

  mutating func tag() throws(MediaError) -> [UInt8] {
    let start = offset
    try skip(4)
    return Array(bytes[start..<offset])
  }
}
