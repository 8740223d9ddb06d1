internal import COpenCV
package import MediaProtocol

/// Enlarges a picture tile by tile, so that memory stays flat whatever its size.
package struct Enlarger {
  /// Pixels of the input that each tile sees beyond its own edge; more than the filters reach.
  static let overlap = 20
  /// Side of the tiles when the job leaves the choice.
  static let usualTile = 768

  /// 2 or 4.
  let factor: Int
  /// Side of a tile without its overlap.
  let tile: Int

  /// An enlarger; a tile of 0 means the usual one.
  package init(factor: Int, tile: Int = 0) {
    self.factor = factor
    self.tile = tile == 0 ? Self.usualTile : tile
  }

  /// The enlarged picture; `advance` is told the share that is done.
  package func enlarge(
    _ picture: Picture,
    advance: (Double) -> Void = { _ in }
  ) throws(MediaError) -> Picture {
    let tiles = split(width: picture.width, height: picture.height)
    let width = picture.width * factor
    var pixels = [UInt8](repeating: 0, count: width * picture.height * factor * 3)
    for (position, core) in tiles.enumerated() {
      let seen = Self.widened(core, in: picture)
      let large = try OpenCV.map(picture.cropped(to: seen), "upscale", scale: factor) {
        oneshot_cv_upscale($0, Int32(factor), $1)
      }
      copy(core, from: large, seen: seen, into: &pixels, rowBytes: width * 3)
      advance(Double(position + 1) / Double(tiles.count))
    }
    return Picture(width: width, height: picture.height * factor, pixels: pixels)
  }

  private func split(width: Int, height: Int) -> [PixelRect] {
    stride(from: 0, to: height, by: tile).flatMap { y in
      stride(from: 0, to: width, by: tile).map { x in
        PixelRect(x: x, y: y, width: min(tile, width - x), height: min(tile, height - y))
      }
    }
  }

  private static func widened(_ core: PixelRect, in picture: Picture) -> PixelRect {
    let x = max(0, core.x - overlap), y = max(0, core.y - overlap)
    return PixelRect(
      x: x,
      y: y,
      width: min(picture.width, core.x + core.width + overlap) - x,
      height: min(picture.height, core.y + core.height + overlap) - y
    )
  }

  private func copy(
    _ core: PixelRect,
    from large: Picture,
    seen: PixelRect,
    into pixels: inout [UInt8],
    rowBytes: Int
  ) {
    let left = (core.x - seen.x) * factor, top = (core.y - seen.y) * factor
    let bytes = core.width * factor * 3
    for row in 0..<(core.height * factor) {
      let from = ((top + row) * large.width + left) * 3
      let to = (core.y * factor + row) * rowBytes + core.x * factor * 3
      pixels.replaceSubrange(to..<(to + bytes), with: large.pixels[from..<(from + bytes)])
    }
  }

  /// The bicubic enlargement, which a good one has to beat.
  package static func bicubic(
    _ picture: Picture,
    factor: Int
  ) throws(MediaError) -> Picture {
    let width = Int32(picture.width * factor), height = Int32(picture.height * factor)
    return try OpenCV.map(picture, "bicubic", scale: factor) {
      oneshot_cv_bicubic($0, width, height, $1)
    }
  }
}
