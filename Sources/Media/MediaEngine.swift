internal import COpenCV
package import MediaProtocol

/// A finished picture with what is known of it.
package struct MediaOutcome: Sendable {
  /// The picture.
  package var picture: Picture
  /// The faces that were treated, in pixels of the picture.
  package var faces: [MediaResult.Ellipse]
  /// Noise that was measured in the input, in levels of 255.
  package var noise: Double?
  /// Where a face was replaced, before any enlargement: 255 inside, 0 elsewhere, one byte a pixel.
  package var swapMask: [UInt8]?
}

/// Runs media jobs, one at a time, with libvips and OpenCV.
///
/// Not for use by two threads; a process needs one. Everything from outside that it touches is
/// decoded here, so it belongs into the worker's sandbox.
package final class MediaEngine {
  private let finder: FaceFinder

  /// Where Debian's `opencv-data` puts its cascades.
  package static let usualCascades = "/usr/share/opencv4/haarcascades"

  /// Starts the libraries and loads the cascades; no file is opened after this.
  ///
  /// - Parameters:
  ///   - cascades: Folder of the Haar cascades.
  ///   - plugins: Whether libvips may load its plug-ins. Their formats are refused either way; a
  ///     process with one thread says false, which also starts faster.
  /// - Throws: ``MediaError`` `INTERNAL` when a library or a cascade is missing.
  package init(
    cascades: String = MediaEngine.usualCascades,
    plugins: Bool = true
  ) throws(MediaError) {
    if !plugins { try Vips.forgoPlugins() }
    try Vips.start()
    oneshot_cv_setup()
    finder = try FaceFinder(folder: cascades)
  }

  /// Runs a request to the finished PNG.
  ///
  /// - Parameters:
  ///   - request: The job and its pictures, as they came.
  ///   - report: Told each stage as it begins, and how far it is.
  /// - Returns: The PNG and what is known of it.
  /// - Throws: ``MediaError`` with the reason that the client is told.
  package func run(
    _ request: MediaRequest,
    report: @escaping (MediaProgress) -> Void
  ) throws(MediaError) -> (result: MediaResult, png: [UInt8]) {
    var progress = ProgressTracker(plan: Self.plan(of: request.job), report: report)
    var outcome = try makePicture(request, progress: &progress)
    if let watermark = request.job.watermark {
      progress.begin(.watermarking)
      outcome.picture = try Self.mark(outcome.picture, with: watermark)
    }
    progress.begin(.encoding)
    let png = try PictureCoder.encodePNG(outcome.picture)
    report(MediaProgress(stage: .encoding, fraction: 1))
    let result = MediaResult(
      width: outcome.picture.width,
      height: outcome.picture.height,
      sha256: PictureCoder.sha256(png),
      byteCount: png.count,
      faces: outcome.faces,
      noise: outcome.noise
    )
    return (result, png)
  }

  /// Runs a request to the picture, without watermark and encoding.
  package func makePicture(
    _ request: MediaRequest,
    report: @escaping (MediaProgress) -> Void = { _ in }
  ) throws(MediaError) -> MediaOutcome {
    var progress = ProgressTracker(plan: Self.plan(of: request.job), report: report)
    return try makePicture(request, progress: &progress)
  }

  private func makePicture(
    _ request: MediaRequest,
    progress: inout ProgressTracker
  ) throws(MediaError) -> MediaOutcome {
    try request.check()
    progress.begin(.checking)
    let job = request.job
    for (position, input) in request.inputs.enumerated() {
      _ = try ImageHeader.inspect(input, limits: job.limits, position: position)
    }
    progress.begin(.decoding)
    var pictures: [Picture] = []
    for (position, input) in request.inputs.enumerated() {
      pictures.append(
        try PictureCoder.decode(
          input,
          limits: job.limits,
          fitting: Self.workingSide(of: job),
          position: position
        )
      )
    }
    return switch job.operation {
    case .normalize: MediaOutcome(picture: pictures[0], faces: [])
    case .upscale(let enlargement): try upscale(pictures[0], enlargement, job, &progress)
    case .restore(let restoration): try restore(pictures[0], restoration, job, &progress)
    case .swapFaces(let swap): try swapFaces(pictures[0], pictures[1], swap, job, &progress)
    }
  }

  private func upscale(
    _ picture: Picture,
    _ enlargement: Enlargement,
    _ job: MediaJob,
    _ progress: inout ProgressTracker
  ) throws(MediaError) -> MediaOutcome {
    let scale = enlargement.scale
    let large = try enlarge(picture, by: scale, tile: enlargement.tile, job, &progress)
    return MediaOutcome(picture: large, faces: [])
  }

  private func restore(
    _ picture: Picture,
    _ restoration: Restoration,
    _ job: MediaJob,
    _ progress: inout ProgressTracker
  ) throws(MediaError) -> MediaOutcome {
    progress.begin(.findingFaces)
    let faces = try finder.faces(in: picture)
    let restorer = Restorer(parameters: restoration)
    let (clean, noise) = try restorer.restore(picture, faces: faces, progress: &progress)
    let large = try enlarge(clean, by: restoration.scale, job, &progress)
    let growth = Double(large.width) / Double(picture.width)
    let reported = faces.map { $0.reported(scale: growth) }
    return MediaOutcome(picture: large, faces: reported, noise: noise)
  }

  private func swapFaces(
    _ source: Picture,
    _ target: Picture,
    _ swap: FaceSwap,
    _ job: MediaJob,
    _ progress: inout ProgressTracker
  ) throws(MediaError) -> MediaOutcome {
    progress.begin(.findingFaces)
    let from = try face(in: source, position: 0)
    let to = try face(in: target, position: 1)
    let swapper = FaceSwapper(parameters: swap)
    let swapped = try swapper.swap(source, from, into: target, to, progress: &progress)
    var picture = swapped.picture
    if let restoration = swap.restoration {
      let restorer = Restorer(parameters: restoration)
      picture = try restorer.restore(picture, faces: [to], progress: &progress).picture
    }
    let scale = max(swap.scale, swap.restoration?.scale ?? 1)
    let large = try enlarge(picture, by: scale, job, &progress)
    let growth = Double(large.width) / Double(target.width)
    return MediaOutcome(
      picture: large,
      faces: [to.reported(scale: growth)],
      swapMask: swapped.mask
    )
  }

  private func face(in picture: Picture, position: Int) throws(MediaError) -> Face {
    guard let face = try finder.faces(in: picture).first else {
      let message = "No face that looks at the camera was found in the picture."
      throw MediaError(.noFaceFound, message, image: position)
    }
    return face
  }

  private func enlarge(
    _ picture: Picture,
    by scale: Int,
    tile: Int = 0,
    _ job: MediaJob,
    _ progress: inout ProgressTracker
  ) throws(MediaError) -> Picture {
    let plan = SizePlan(
      width: picture.width,
      height: picture.height,
      scale: scale,
      maximumSide: job.maximumSide
    )
    let size = (width: plan.width, height: plan.height)
    if plan.factor == 1 { return try PictureCoder.reduce(picture, to: size) }
    progress.begin(.upscaling)
    let tracker = progress
    let enlarger = Enlarger(factor: plan.factor, tile: tile)
    let large = try enlarger.enlarge(picture) { tracker.advance(to: $0) }
    return try PictureCoder.reduce(large, to: size)
  }

  private static func mark(
    _ picture: Picture,
    with watermark: Watermark
  ) throws(MediaError) -> Picture {
    let corner: Int32 =
      switch watermark.position {
      case .topLeft: 0
      case .topRight: 1
      case .bottomLeft: 2
      case .bottomRight: 3
      case .center: 4
      }
    return try OpenCV.map(picture, "watermark") {
      oneshot_cv_watermark($0, watermark.text, corner, Float(watermark.opacity), $1)
    }
  }
}
