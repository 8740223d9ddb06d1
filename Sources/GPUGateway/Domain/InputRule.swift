internal import Foundation
internal import MediaProtocol
internal import OneShotAPI

/// What the gateway checks of inputs before any provider sees them.
enum InputRule {
  /// Whether `key` is an object of `user`'s: `uploads/<user>/…` or `artifacts/<user>/…`.
  static func owns(_ user: UUID, _ key: String) -> Bool {
    let parts = key.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "uploads" || parts[0] == "artifacts" else { return false }
    guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else { return false }
    return parts[1] == user.uuidString.lowercased()
  }

  /// The pictures of a specification in the order that providers take them.
  static func sources(of spec: Gpu.JobSpec) -> [Gpu.ImageSource] {
    switch spec.pipeline {
    case .faceRestore(let restore): [restore.input ?? Gpu.ImageSource()]
    case .upscale(let upscale): [upscale.input ?? Gpu.ImageSource()]
    case .faceSwap(let swap):
      [swap.sourceFace ?? Gpu.ImageSource(), swap.target ?? Gpu.ImageSource()]
    case nil: []
    }
  }

  /// Reads a picture's head and refuses what must not be decoded.
  static func check(_ bytes: [UInt8], limits: ImageLimits, position: Int) throws(RunFailure) {
    do {
      _ = try ImageHeader.inspect(bytes, limits: limits, position: position)
    } catch {
      throw RunFailure(error)
    }
  }
}

extension RunFailure {
  /// What a media error means to the user.
  init(_ error: MediaError) {
    let reason =
      switch error.code {
      case .imageInvalid, .imageTypeUnsupported, .imageTooSmall, .imageTooLarge: "INPUT_INVALID"
      case .noFaceFound: "NO_FACE_FOUND"
      case .parameterInvalid: "INVALID_VALUE"
      case .protocolViolation, .resourceExhausted, .internalFailure: "PROVIDER_FAILED"
      }
    self.init(
      reason: reason,
      message: error.code.isPermanent ? error.message : "The job could not be processed.",
      isRetryable: !error.code.isPermanent,
      cause: error.description
    )
  }
}
