import MediaProtocol

extension MediaEngine {
  /// Longest side at which restorations and swaps work, whatever the result may have: their memory
  /// is about 60 bytes a pixel.
  private static let greatestWorkingSide = 4096
  /// Up to this side a picture is restored before it is reduced.
  private static let restoredBeforeReduction = 2048

  /// Longest side to which inputs are reduced while they are decoded.
  ///
  /// Reduction turns fine noise into coarse noise, which is harder to tell from detail: a
  /// restoration sees the picture before it.
  static func workingSide(of job: MediaJob) -> Int {
    switch job.operation {
    case .normalize, .upscale: job.maximumSide
    case .swapFaces: min(job.maximumSide, greatestWorkingSide)
    case .restore:
      min(
        max(job.maximumSide, min(2 * job.maximumSide, restoredBeforeReduction)),
        greatestWorkingSide
      )
    }
  }

  /// The stages of a job with their share of the work, as measured on 512 × 512 portraits.
  static func plan(of job: MediaJob) -> [(MediaStage, Double)] {
    var plan: [(MediaStage, Double)] = [(.checking, 1), (.decoding, 2)]
    switch job.operation {
    case .normalize: break
    case .upscale: plan.append((.upscaling, 10))
    case .restore(let restoration): plan += [(.findingFaces, 5)] + steps(of: restoration)
    case .swapFaces(let swap):
      plan += [(.findingFaces, 8), (.aligning, 3), (.blending, 4)]
      if let restoration = swap.restoration { plan += steps(of: restoration) }
      if swap.scale > 1 { plan.append((.upscaling, 10)) }
    }
    if job.watermark != nil { plan.append((.watermarking, 1)) }
    return plan + [(.encoding, 5)]
  }

  private static func steps(of restoration: Restoration) -> [(MediaStage, Double)] {
    var steps: [(MediaStage, Double)] = [(.restoringFaces, 2), (.denoising, 6), (.deblurring, 2)]
    if restoration.enhance { steps.append((.enhancing, 2)) }
    if restoration.scale > 1 { steps.append((.upscaling, 10)) }
    return steps
  }
}
