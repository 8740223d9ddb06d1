internal import Crypto
internal import OneShotAPI
internal import Protobuf

/// Names a result by what it is made from.
enum ContentHash {
  /// SHA-256 over the inputs' digests, the specification without its inputs' places, and the policy
  /// without its artifacts' place.
  static func of(
    inputs: [[UInt8]],
    spec: Gpu.JobSpec,
    policy: Gpu.OutputPolicy
  ) -> [UInt8] {
    var hash = SHA256()
    for input in inputs { hash.update(data: Array(SHA256.hash(data: input))) }
    hash.update(data: withoutPlaces(spec).encoded())
    var policy = policy
    policy.artifactPrefix = ""
    hash.update(data: policy.encoded())
    return Array(hash.finalize())
  }

  private static func withoutPlaces(_ spec: Gpu.JobSpec) -> Gpu.JobSpec {
    var spec = spec
    switch spec.pipeline {
    case .faceRestore(var restore):
      restore.input = nil
      spec.pipeline = .faceRestore(restore)
    case .upscale(var upscale):
      upscale.input = nil
      spec.pipeline = .upscale(upscale)
    case .faceSwap(var swap):
      swap.sourceFace = nil
      swap.target = nil
      spec.pipeline = .faceSwap(swap)
    case nil: break
    }
    return spec
  }
}

extension ContentHash {
  /// SHA-256 of `bytes`.
  static func digest(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}
