/// One job of the worker: what to do, and what the result has to look like.
///
/// The input pictures travel beside it, as they were uploaded, in the order that the operation names.
package struct MediaJob: Sendable, Hashable, Codable {
  /// What is done to the pictures.
  package var operation: MediaOperation
  /// Longest side of the result in pixels; 64…8192.
  package var maximumSide: Int
  /// What the input pictures may measure.
  package var limits: ImageLimits
  /// The mark that the result bears, if any.
  package var watermark: Watermark?

  /// A job.
  package init(
    _ operation: MediaOperation,
    maximumSide: Int = 2048,
    limits: ImageLimits = ImageLimits(),
    watermark: Watermark? = nil
  ) {
    self.operation = operation
    self.maximumSide = maximumSide
    self.limits = limits
    self.watermark = watermark
  }
}

/// What the worker can do.
package enum MediaOperation: Sendable, Hashable, Codable {
  /// Upright, sRGB, no metadata, at most the maximum side; one input.
  case normalize
  /// Less noise and blur, more contrast, faces first; one input.
  case restore(Restoration)
  /// More pixels; one input.
  case upscale(Enlargement)
  /// The face of the first input in the second.
  case swapFaces(FaceSwap)

  /// How many input pictures the operation takes.
  package var inputCount: Int {
    if case .swapFaces = self { 2 } else { 1 }
  }
}

/// Parameters of a restoration.
package struct Restoration: Sendable, Hashable, Codable {
  /// How much of the noise goes, 0…1.
  package var denoise: Double
  /// Whether contrast is improved as well.
  package var enhance: Bool
  /// Enlargement afterwards: 1, 2 or 4.
  package var scale: Int

  /// A restoration.
  package init(denoise: Double = 0.5, enhance: Bool = true, scale: Int = 1) {
    self.denoise = denoise
    self.enhance = enhance
    self.scale = scale
  }
}

/// Parameters of an enlargement.
package struct Enlargement: Sendable, Hashable, Codable {
  /// 2 or 4.
  package var scale: Int
  /// Side of the tiles worked on one by one, 64…1024; 0 leaves the choice to the worker.
  package var tile: Int

  /// An enlargement.
  package init(scale: Int = 2, tile: Int = 0) {
    self.scale = scale
    self.tile = tile
  }
}

/// Parameters of a face swap.
package struct FaceSwap: Sendable, Hashable, Codable {
  /// How far the new face takes on the colours and light of the picture, 0…1.
  package var blend: Double
  /// How much of the old face the new one replaces, 0…1; 0 leaves the picture as it is.
  package var strength: Double
  /// Restoration of the result, if wanted; its scale is the result's.
  package var restoration: Restoration?
  /// Enlargement afterwards: 1, 2 or 4.
  package var scale: Int

  /// A face swap.
  package init(
    blend: Double = 0.8,
    strength: Double = 1,
    restoration: Restoration? = nil,
    scale: Int = 1
  ) {
    self.blend = blend
    self.strength = strength
    self.restoration = restoration
    self.scale = scale
  }
}

/// A visible mark of origin.
package struct Watermark: Sendable, Hashable, Codable {
  /// Where the mark stands.
  package enum Position: String, Sendable, Hashable, Codable, CaseIterable {
    case topLeft = "top-left"
    case topRight = "top-right"
    case bottomLeft = "bottom-left"
    case bottomRight = "bottom-right"
    case center
  }

  /// Printable ASCII, 1…48 characters.
  package var text: String
  /// Where it stands.
  package var position: Position
  /// 0…1.
  package var opacity: Double

  /// A mark.
  package init(text: String, position: Position = .bottomRight, opacity: Double = 0.7) {
    self.text = text
    self.position = position
    self.opacity = opacity
  }
}
