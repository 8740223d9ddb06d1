internal import CVips
package import MediaProtocol

/// Decodes uploaded pictures, and encodes finished ones.
package enum PictureCoder {
  /// Decodes a picture upright, in sRGB, without alpha, reduced to fit into `side` × `side`.
  ///
  /// Everything that the header can tell is checked first, by our own parser and then by the one
  /// loader that is allowed for the format; pixels are decoded only after that.
  /// - Throws: ``MediaError``; its `image` is `position`.
  package static func decode(
    _ bytes: [UInt8],
    limits: ImageLimits,
    fitting side: Int,
    position: Int = 0
  ) throws(MediaError) -> Picture {
    let header = try ImageHeader.inspect(bytes, limits: limits, position: position)
    do throws(MediaError) {
      return try withBytes(of: bytes) { (start, length) throws(MediaError) in
        let hasProfile = try checkLoader(start, length, against: header)
        return try decode(start, length, fitting: side, hasProfile: hasProfile)
      }
    } catch {
      var located = error
      located.image = position
      throw located
    }
  }

  /// Encodes a picture as PNG without metadata.
  package static func encodePNG(_ picture: Picture) throws(MediaError) -> [UInt8] {
    try withBytes(of: picture.pixels) { (start, length) throws(MediaError) in
      let image = try borrow(start, length, as: picture)
      var output: UnsafeMutableRawPointer?
      var count = 0
      guard oneshot_vips_png(image.pointer, &output, &count) == 0, let output else {
        throw Vips.failure("pngsave", code: .internalFailure)
      }
      defer { g_free(output) }
      return Array(UnsafeRawBufferPointer(start: output, count: count))
    }
  }

  /// Reduces a picture to exactly the given size.
  package static func reduce(
    _ picture: Picture,
    to size: (width: Int, height: Int)
  ) throws(MediaError) -> Picture {
    if size == (picture.width, picture.height) { return picture }
    return try withBytes(of: picture.pixels) { (start, length) throws(MediaError) in
      let image = try borrow(start, length, as: picture).then("reduce") {
        oneshot_vips_reduce($0, Int32(size.width), Int32(size.height), $1)
      }
      return try read(image)
    }
  }

  /// SHA-256 in 64 lower-case hexadecimal digits.
  package static func sha256(_ bytes: [UInt8]) -> String {
    guard let digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, gsize(bytes.count))
    else { return "" }
    defer { g_free(digest) }
    return String(cString: digest)
  }

  private static func withBytes<Result>(
    of bytes: [UInt8],
    _ body: (UnsafeRawPointer, Int) throws(MediaError) -> Result
  ) throws(MediaError) -> Result {
    try Vips.start()
    let outcome = bytes.withUnsafeBytes { buffer -> Swift.Result<Result, MediaError> in
      guard let start = buffer.baseAddress else {
        return .failure(MediaError(.imageInvalid, "The picture is empty."))
      }
      do throws(MediaError) {
        return .success(try body(start, buffer.count))
      } catch {
        return .failure(error)
      }
    }
    return try outcome.get()
  }

  /// Asks libvips, by the header alone, whether it sees the picture that our parser saw.
  ///
  /// - Returns: Whether the picture brings a colour profile.
  private static func checkLoader(
    _ start: UnsafeRawPointer,
    _ length: Int,
    against header: ImageHeader
  ) throws(MediaError) -> Bool {
    let allowed: [ImageFormat: String] = [
      .jpeg: "VipsForeignLoadJpegBuffer", .png: "VipsForeignLoadPngBuffer",
      .webp: "VipsForeignLoadWebpBuffer", .gif: "VipsForeignLoadNsgifBuffer",
    ]
    guard let name = oneshot_vips_loader(start, length) else { throw Vips.failure("find loader") }
    guard allowed[header.format] == String(cString: name) else {
      throw MediaError(.imageInvalid, "The picture is not what it claims to be.")
    }
    let image = try VipsImageHandle("open") { oneshot_vips_open(start, length, $0) }
    guard image.width == header.width, image.height == header.height else {
      throw MediaError(.imageInvalid, "The picture is not as large as it claims to be.")
    }
    return image.hasProfile
  }

  private static func decode(
    _ start: UnsafeRawPointer,
    _ length: Int,
    fitting side: Int,
    hasProfile: Bool
  ) throws(MediaError) -> Picture {
    var image = try VipsImageHandle("decode") {
      oneshot_vips_thumbnail(start, length, Int32(side), hasProfile ? 1 : 0, $0)
    }
    image = try image.then("sRGB") { oneshot_vips_to_srgb($0, $1) }
    if image.hasAlpha { image = try image.then("flatten") { oneshot_vips_flatten($0, $1) } }
    if !image.isBytes { image = try image.then("cast") { oneshot_vips_to_bytes($0, $1) } }
    return try read(image)
  }

  private static func borrow(
    _ start: UnsafeRawPointer,
    _ length: Int,
    as picture: Picture
  ) throws(MediaError) -> VipsImageHandle {
    try VipsImageHandle("borrow") {
      oneshot_vips_borrow(start, length, Int32(picture.width), Int32(picture.height), $0)
    }
  }

  /// Runs the chain and copies its pixels.
  private static func read(_ image: borrowing VipsImageHandle) throws(MediaError) -> Picture {
    guard image.bands == 3, image.isBytes else {
      throw MediaError(.imageInvalid, "The picture's colours are not supported.")
    }
    var count = 0
    guard let memory = vips_image_write_to_memory(image.pointer, &count) else {
      throw Vips.failure("read pixels")
    }
    defer { g_free(memory) }
    let width = image.width, height = image.height
    guard count == width * height * 3 else { throw Vips.failure("read pixels") }
    let pixels = Array(UnsafeRawBufferPointer(start: memory, count: count))
    return Picture(width: width, height: height, pixels: pixels)
  }
}
