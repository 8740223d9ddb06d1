extension MediaJob {
  /// Checks every parameter against its range.
  ///
  /// - Throws: ``MediaError`` `PARAMETER_INVALID` that names the first parameter at fault.
  package func validate() throws(MediaError) {
    try Self.require(
      (MediaLimits.minimumSide...MediaLimits.maximumSide).contains(maximumSide),
      "max_side must lie in 64…8192."
    )
    try operation.validate()
    try watermark?.validate()
  }

  static func require(_ condition: Bool, _ message: String) throws(MediaError) {
    guard condition else { throw MediaError(.parameterInvalid, message) }
  }
}

extension MediaOperation {
  func validate() throws(MediaError) {
    switch self {
    case .normalize: break
    case .restore(let restoration): try restoration.validate()
    case .upscale(let enlargement): try enlargement.validate()
    case .swapFaces(let swap): try swap.validate()
    }
  }
}

extension Restoration {
  func validate() throws(MediaError) {
    try MediaJob.require((0...1).contains(denoise), "denoise must lie in 0…1.")
    try MediaJob.require([1, 2, 4].contains(scale), "scale must be 1, 2 or 4.")
  }
}

extension Enlargement {
  func validate() throws(MediaError) {
    try MediaJob.require([2, 4].contains(scale), "scale must be 2 or 4.")
    try MediaJob.require(
      tile == 0 || MediaLimits.tileSides.contains(tile),
      "tile must be 0 or lie in 64…1024."
    )
  }
}

extension FaceSwap {
  func validate() throws(MediaError) {
    try MediaJob.require((0...1).contains(blend), "blend must lie in 0…1.")
    try MediaJob.require((0...1).contains(strength), "swap_strength must lie in 0…1.")
    try MediaJob.require([1, 2, 4].contains(scale), "upscale must be 1, 2 or 4.")
    try restoration?.validate()
  }
}

extension Watermark {
  func validate() throws(MediaError) {
    let printable = text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    let lengths = 1...MediaLimits.watermarkCharacters
    try MediaJob.require(
      printable && lengths.contains(text.utf8.count),
      "The watermark must be 1 to \(MediaLimits.watermarkCharacters) printable ASCII characters."
    )
    try MediaJob.require((0...1).contains(opacity), "The watermark's opacity must lie in 0…1.")
  }
}
