internal import COpenCV
import MediaProtocol

/// Restores a picture: faces first and more strongly, then the whole, then contrast.
struct Restorer {
  /// A blur below this radius (pixels) is that of a sharp photograph and stays.
  private static let sharpRadius: Float = 0.45
  /// A face is worked on together with this share of its size around it.
  private static let faceMargin = 0.35

  let parameters: Restoration

  /// The restored picture and the noise that it had.
  func restore(
    _ picture: Picture,
    faces: [Face],
    progress: inout ProgressTracker
  ) throws(MediaError) -> (picture: Picture, noise: Double) {
    let noise = try measureNoise(picture)
    progress.begin(.restoringFaces)
    var patches: [(patch: Picture, area: PixelRect, face: Face)] = []
    for (position, face) in faces.enumerated() {
      let area = Self.surroundings(of: face, in: picture)
      let crop = picture.cropped(to: area)
      let clean = try denoise(crop, strength: 1.15)
      patches.append((try deblur(clean, amount: 1.15), area, face))
      progress.advance(to: Double(position + 1) / Double(faces.count))
    }
    progress.begin(.denoising)
    var result = try denoise(picture, strength: 1)
    progress.begin(.deblurring)
    result = try deblur(result, amount: 1)
    for (patch, area, face) in patches { result = try blend(patch, over: result, at: area, face) }
    if parameters.enhance {
      progress.begin(.enhancing)
      result = try OpenCV.map(result, "contrast") { oneshot_cv_contrast($0, 0.5, $1) }
    }
    return (result, noise)
  }

  private func measureNoise(_ picture: Picture) throws(MediaError) -> Double {
    var noise: Float = 0
    let status = OpenCV.lend(picture) { oneshot_cv_estimate_noise($0, &noise) }
    try OpenCV.check(status, "estimate noise")
    return Double(noise)
  }

  private func denoise(_ picture: Picture, strength: Double) throws(MediaError) -> Picture {
    // The middle of the scale removes what was measured; its end removes half as much again.
    let level = parameters.denoise <= 0.5 ? parameters.denoise * 2 : parameters.denoise + 0.5
    if level == 0 { return picture }
    return try OpenCV.map(picture, "denoise") {
      oneshot_cv_denoise($0, Float(level * strength), $1)
    }
  }

  private func deblur(_ picture: Picture, amount: Float) throws(MediaError) -> Picture {
    var radius: Float = 0
    let status = OpenCV.lend(picture) { oneshot_cv_estimate_blur($0, &radius) }
    try OpenCV.check(status, "estimate blur")
    let need = min(1, max(0, (radius - Self.sharpRadius) / 0.2))
    if need == 0 { return picture }
    let sigma = min(radius * 1.1, 2.5)
    return try OpenCV.map(picture, "deblur") { oneshot_cv_deblur($0, sigma, amount * need, $1) }
  }

  private func blend(
    _ patch: Picture,
    over picture: Picture,
    at area: PixelRect,
    _ face: Face
  ) throws(MediaError) -> Picture {
    var ellipse = face.ellipse
    ellipse.radius_x *= 1.25
    ellipse.radius_y *= 1.25
    return try OpenCV.map(picture, "blend face") { whole, output in
      OpenCV.lend(patch) {
        oneshot_cv_blend_patch(whole, $0, Int32(area.x), Int32(area.y), ellipse, output)
      }
    }
  }

  private static func surroundings(of face: Face, in picture: Picture) -> PixelRect {
    let ellipse = face.ellipse
    let reach = Double(max(ellipse.radius_x, ellipse.radius_y)) * (1 + faceMargin)
    let x = Int(max(0, Double(ellipse.center_x) - reach))
    let y = Int(max(0, Double(ellipse.center_y) - reach))
    let right = Int(min(Double(picture.width), Double(ellipse.center_x) + reach))
    let bottom = Int(min(Double(picture.height), Double(ellipse.center_y) + reach))
    return PixelRect(x: x, y: y, width: max(1, right - x), height: max(1, bottom - y))
  }
}
