/// What the worker is doing.
package enum MediaStage: String, Sendable, Hashable, Codable, CaseIterable {
  case checking
  case decoding
  case findingFaces = "finding_faces"
  case restoringFaces = "restoring_faces"
  case denoising
  case deblurring
  case enhancing
  case aligning
  case blending
  case upscaling
  case watermarking
  case encoding
}

/// A step of a job: which stage has begun, and how much of the whole lies behind.
package struct MediaProgress: Sendable, Hashable, Codable {
  /// The stage that has begun or goes on.
  package var stage: MediaStage
  /// Share of the whole job that is done, 0…1; it never falls.
  package var fraction: Double

  /// A step.
  package init(stage: MediaStage, fraction: Double) {
    self.stage = stage
    self.fraction = fraction
  }
}

/// What is known of a finished picture besides its bytes.
package struct MediaResult: Sendable, Hashable, Codable {
  /// An ellipse in pixels of the finished picture, rotated clockwise by `angle` degrees.
  package struct Ellipse: Sendable, Hashable, Codable {
    package var centerX, centerY, radiusX, radiusY, angle: Double

    /// An ellipse.
    package init(
      centerX: Double,
      centerY: Double,
      radiusX: Double,
      radiusY: Double,
      angle: Double
    ) {
      self.centerX = centerX
      self.centerY = centerY
      self.radiusX = radiusX
      self.radiusY = radiusY
      self.angle = angle
    }
  }

  /// Width in pixels.
  package var width: Int
  /// Height in pixels.
  package var height: Int
  /// SHA-256 of the PNG, 64 lower-case hexadecimal digits.
  package var sha256: String
  /// Always `image/png`.
  package var contentType: String
  /// Size of the PNG.
  package var byteCount: Int
  /// The faces that were treated: restored ones, or the one that was replaced.
  package var faces: [Ellipse]
  /// Noise of the input that was measured, in levels of 255; restorations only.
  package var noise: Double?

  /// What is known of a finished picture.
  package init(
    width: Int,
    height: Int,
    sha256: String,
    byteCount: Int,
    faces: [Ellipse],
    noise: Double?
  ) {
    self.width = width
    self.height = height
    self.sha256 = sha256
    self.contentType = "image/png"
    self.byteCount = byteCount
    self.faces = faces
    self.noise = noise
  }
}
