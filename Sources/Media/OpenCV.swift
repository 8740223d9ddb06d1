internal import COpenCV
import MediaProtocol

/// The calls of the OpenCV layer, in Swift's terms.
///
/// Single-threaded by contract; every failure becomes a ``MediaError``.
enum OpenCV {
  /// Throws unless a call succeeded.
  static func check(
    _ status: oneshot_cv_status,
    _ operation: StaticString
  ) throws(MediaError) {
    switch status {
    case ONESHOT_CV_OK: return
    case ONESHOT_CV_OUT_OF_MEMORY:
      throw MediaError(.resourceExhausted, "The picture needs too much memory.")
    default:
      let words = String(cString: oneshot_cv_last_error())
      throw MediaError(.internalFailure, "The job failed.", cause: "\(operation): \(words)")
    }
  }

  /// Lends a picture to a call that fills another one of the given size.
  static func map(
    _ picture: Picture,
    _ operation: StaticString,
    scale: Int = 1,
    _ body: (oneshot_cv_picture, UnsafeMutablePointer<UInt8>?) -> oneshot_cv_status
  ) throws(MediaError) -> Picture {
    let width = picture.width * scale, height = picture.height * scale
    var status = ONESHOT_CV_OK
    let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { output, count in
      status = lend(picture) { body($0, output.baseAddress) }
      // A failed call may have written nothing: its bytes are dropped below, but must be defined.
      if status != ONESHOT_CV_OK { output.initialize(repeating: 0) }
      count = width * height * 3
    }
    try check(status, operation)
    return Picture(width: width, height: height, pixels: pixels)
  }

  /// Lends a picture to a call.
  static func lend<Result>(_ picture: Picture, _ body: (oneshot_cv_picture) -> Result) -> Result {
    picture.pixels.withUnsafeBufferPointer { buffer in
      body(
        oneshot_cv_picture(
          pixels: buffer.baseAddress,
          width: Int32(picture.width),
          height: Int32(picture.height)
        )
      )
    }
  }
}

/// A face that was found, in pixels of its picture.
struct Face {
  let raw: oneshot_cv_face

  /// The ellipse from brow to chin.
  var ellipse: oneshot_cv_ellipse { oneshot_cv_face_ellipse(raw) }

  /// The ellipse as the protocol tells it, enlarged with the picture.
  func reported(scale: Double) -> MediaResult.Ellipse {
    let ellipse = ellipse
    return MediaResult.Ellipse(
      centerX: Double(ellipse.center_x) * scale,
      centerY: Double(ellipse.center_y) * scale,
      radiusX: Double(ellipse.radius_x) * scale,
      radiusY: Double(ellipse.radius_y) * scale,
      angle: Double(ellipse.angle)
    )
  }
}

/// Finds faces; owns the loaded cascades.
///
/// Not for use by two threads.
final class FaceFinder {
  private let finder: OpaquePointer

  /// Loads the cascades from a folder in the layout of Debian's `opencv-data`.
  init(folder: String) throws(MediaError) {
    var finder: OpaquePointer?
    let status = oneshot_cv_finder_create(
      "\(folder)/haarcascade_frontalface_alt2.xml",
      "\(folder)/haarcascade_eye.xml",
      &finder
    )
    try OpenCV.check(status, "load cascades")
    guard let finder else { throw MediaError(.internalFailure, "The job failed.") }
    self.finder = finder
  }

  deinit { oneshot_cv_finder_destroy(finder) }

  /// Frontal faces, the most prominent one first.
  func faces(in picture: Picture) throws(MediaError) -> [Face] {
    var faces = [oneshot_cv_face](repeating: oneshot_cv_face(), count: MediaLimits.faceCount)
    var count: Int32 = 0
    let status = OpenCV.lend(picture) {
      oneshot_cv_find_faces(finder, $0, &faces, Int32(MediaLimits.faceCount), &count)
    }
    try OpenCV.check(status, "find faces")
    return faces.prefix(Int(count)).map(Face.init(raw:))
  }
}
