internal import CVips
import MediaProtocol

/// Owns one reference to a `VipsImage`.
///
/// Used by one thread; the reference is dropped when the value dies. Bytes that the image borrows
/// must outlive it.
struct VipsImageHandle: ~Copyable {
  let pointer: UnsafeMutablePointer<VipsImage>

  /// Takes the image that a libvips call produces.
  ///
  /// - Throws: ``MediaError`` `IMAGE_INVALID` with libvips' words as its cause.
  init(
    _ operation: StaticString,
    _ body: (UnsafeMutablePointer<UnsafeMutablePointer<VipsImage>?>) -> Int32
  ) throws(MediaError) {
    var image: UnsafeMutablePointer<VipsImage>?
    let code = body(&image)
    guard code == 0, let image else { throw Vips.failure("\(operation)") }
    pointer = image
  }

  deinit { g_object_unref(pointer) }

  var width: Int { Int(vips_image_get_width(pointer)) }
  var height: Int { Int(vips_image_get_height(pointer)) }
  var bands: Int { Int(vips_image_get_bands(pointer)) }
  var hasProfile: Bool { oneshot_vips_has_profile(pointer) != 0 }
  var hasAlpha: Bool { vips_image_hasalpha(pointer) != 0 }
  var isBytes: Bool { vips_image_get_format(pointer) == VIPS_FORMAT_UCHAR }

  /// The next image of a chain.
  consuming func then(
    _ operation: StaticString,
    _ body: (
      UnsafeMutablePointer<VipsImage>, UnsafeMutablePointer<UnsafeMutablePointer<VipsImage>?>
    ) -> Int32
  ) throws(MediaError) -> VipsImageHandle {
    let input = pointer
    return try VipsImageHandle(operation) { body(input, $0) }
  }
}

/// libvips as a process-wide library.
enum Vips {
  /// Keeps plug-ins out of the process; call before ``start()``, while there is one thread.
  static func forgoPlugins() throws(MediaError) {
    guard oneshot_vips_forgo_plugins() == 0 else {
      throw failure("plug-ins", code: .internalFailure)
    }
  }

  /// What the one start of the process came to.
  private static let started: Result<Void, MediaError> =
    oneshot_vips_start() == 0
    ? .success(()) : .failure(failure("start", code: .internalFailure))

  /// Starts it unless it runs; every way into libvips begins here.
  static func start() throws(MediaError) { try started.get() }

  /// Copies and clears libvips' words, of which there is one buffer for the process.
  static func failure(
    _ operation: String,
    code: MediaErrorCode = .imageInvalid
  ) -> MediaError {
    let words = vips_error_buffer().map { String(cString: $0) } ?? ""
    vips_error_clear()
    let message = "The picture is damaged or not what it claims to be."
    let cause = "\(operation): \(words.prefix(300))"
    return MediaError(code, code == .imageInvalid ? message : "The job failed.", cause: cause)
  }
}
