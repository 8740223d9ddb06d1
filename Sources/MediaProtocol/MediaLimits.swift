/// Every bound of the media pipeline, by name.
package enum MediaLimits {
  /// Most bytes of the JSON part of a request or reply.
  package static let descriptionBytes = 64 * 1024
  /// Most bytes of one input picture as it was uploaded.
  package static let inputBytes = 20 * 1024 * 1024
  /// Most bytes of a finished PNG.
  package static let outputBytes = 160 * 1024 * 1024
  /// Most input pictures of one job.
  package static let inputCount = 2
  /// Shortest side of an input picture, in pixels.
  package static let minimumSide = 64
  /// Longest side of an input or a finished picture, in pixels.
  package static let maximumSide = 8192
  /// Most pixels of an input or a finished picture.
  package static let maximumPixels = 40_000_000
  /// Most faces that one restoration treats.
  package static let faceCount = 8
  /// Longest watermark, in characters of printable ASCII.
  package static let watermarkCharacters = 48
  /// Smallest and largest side of an enlargement's tile; 0 leaves the choice to the worker.
  package static let tileSides = 64...1024
}

/// What an input picture may measure; the gateway's configuration narrows it.
package struct ImageLimits: Sendable, Hashable, Codable {
  /// Shortest side, in pixels.
  package var minimumSide: Int
  /// Longest side, in pixels.
  package var maximumSide: Int
  /// Most pixels, counted before decoding.
  package var maximumPixels: Int
  /// Most bytes of the file.
  package var maximumBytes: Int

  /// Limits that never exceed those of ``MediaLimits``.
  package init(
    minimumSide: Int = MediaLimits.minimumSide,
    maximumSide: Int = MediaLimits.maximumSide,
    maximumPixels: Int = MediaLimits.maximumPixels,
    maximumBytes: Int = MediaLimits.inputBytes
  ) {
    self.minimumSide = max(1, minimumSide)
    self.maximumSide = min(MediaLimits.maximumSide, maximumSide)
    self.maximumPixels = min(MediaLimits.maximumPixels, maximumPixels)
    self.maximumBytes = min(MediaLimits.inputBytes, maximumBytes)
  }
}
