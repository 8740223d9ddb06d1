/// A decoded picture: packed 8-bit RGB in sRGB, rows without padding.
package struct Picture: Sendable, Hashable {
  /// Width in pixels.
  package let width: Int
  /// Height in pixels.
  package let height: Int
  /// `width * height * 3` bytes.
  package let pixels: [UInt8]

  /// A picture over existing bytes; a wrong number of them is a programmer error and traps.
  package init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// The longer side.
  package var longestSide: Int { max(width, height) }

  /// A part of the picture; the rectangle must lie inside.
  package func cropped(to area: PixelRect) -> Picture {
    precondition(area.x >= 0 && area.y >= 0)
    precondition(area.x + area.width <= width && area.y + area.height <= height)
    var part: [UInt8] = []
    part.reserveCapacity(area.width * area.height * 3)
    for row in area.y..<(area.y + area.height) {
      let start = (row * width + area.x) * 3
      part += pixels[start..<(start + area.width * 3)]
    }
    return Picture(width: area.width, height: area.height, pixels: part)
  }
}

/// A rectangle of whole pixels.
package struct PixelRect: Sendable, Hashable {
  package var x, y, width, height: Int

  /// A rectangle.
  package init(x: Int, y: Int, width: Int, height: Int) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }
}
