internal import COpenCV
import MediaProtocol

/// Puts the most prominent face of one picture in the place of another's.
struct FaceSwapper {
  let parameters: FaceSwap

  /// The target with the source's face; outside `mask` (255 inside, one byte a pixel) it is unchanged.
  func swap(
    _ source: Picture,
    _ sourceFace: Face,
    into target: Picture,
    _ targetFace: Face,
    progress: inout ProgressTracker
  ) throws(MediaError) -> (picture: Picture, mask: [UInt8]) {
    progress.begin(.aligning)
    let (aligned, mask) = try align(source, sourceFace, to: target, targetFace)
    progress.begin(.blending)
    let strength = Float(parameters.strength), blend = Float(parameters.blend)
    let picture = try OpenCV.map(target, "clone face") { picture, output in
      oneshot_cv_clone_face(picture, aligned, mask, blend, strength, output)
    }
    return (picture, mask)
  }

  private func align(
    _ source: Picture,
    _ sourceFace: Face,
    to target: Picture,
    _ targetFace: Face
  ) throws(MediaError) -> (aligned: [UInt8], mask: [UInt8]) {
    var aligned = [UInt8](repeating: 0, count: target.pixels.count)
    var mask = [UInt8](repeating: 0, count: target.width * target.height)
    let status = OpenCV.lend(source) { from in
      OpenCV.lend(target) { to in
        oneshot_cv_align_face(
          from,
          sourceFace.raw,
          to,
          targetFace.raw,
          Float(parameters.blend),
          &aligned,
          &mask
        )
      }
    }
    try OpenCV.check(status, "align face")
    return (aligned, mask)
  }
}
