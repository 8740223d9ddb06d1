internal import OneShotAPI

/// Something that can run jobs.
protocol Provider: Sendable {
  /// Name for operators; users never see it.
  var name: String { get }
  /// Pipelines that it can run.
  var pipelines: Set<Pipeline> { get }
  /// Jobs at once; further ones wait.
  var capacity: Int { get }

  /// Does the work and returns its pictures.
  ///
  /// Cancelling the task stops the work.
  /// - Throws: ``RunFailure``, or `CancellationError`.
  func run(_ work: ProviderWork, report: @escaping ProgressReport) async throws -> [Picture]

  /// Returns if the provider can take work.
  func check() async throws
}

/// Tells how far the work is.
typealias ProgressReport = @Sendable (_ stage: Gpu.RunStage, _ fraction: Double) -> Void

/// What can be done to pictures.
enum Pipeline: String, Sendable, Hashable, CaseIterable {
  case faceRestore = "face_restore"
  case faceSwap = "face_swap"
  case upscale = "upscale"

  /// The pipeline of a specification; nil when it has none that we know.
  init?(_ spec: Gpu.JobSpec) {
    switch spec.pipeline {
    case .faceRestore: self = .faceRestore
    case .faceSwap: self = .faceSwap
    case .upscale: self = .upscale
    case nil: return nil
    }
  }
}

/// One piece of work for a provider.
struct ProviderWork: Sendable {
  let runID: String
  let spec: Gpu.JobSpec
  let policy: Gpu.OutputPolicy
  /// Checked pictures in the specification's order.
  let inputs: [[UInt8]]
}

/// A finished picture.
struct Picture: Sendable {
  let bytes: [UInt8]
  let contentType: String
  let width: Int
  let height: Int
}

/// Why a run, or one provider's part of it, failed.
struct RunFailure: Error, Sendable, CustomStringConvertible {
  /// A word of the public error list.
  let reason: String
  /// For the user; names no provider and no address.
  let message: String
  /// Whether another attempt or provider may succeed.
  let isRetryable: Bool
  /// For the log.
  var cause: String?

  var description: String { "\(reason): \(message)" + (cause.map { " (\($0))" } ?? "") }

  /// Nobody wants the result any more.
  static let cancelled = RunFailure(
    reason: "CANCELLED",
    message: "The job was cancelled.",
    isRetryable: false
  )

  /// A provider's own trouble.
  static func provider(_ cause: String) -> RunFailure {
    RunFailure(
      reason: "PROVIDER_FAILED",
      message: "The job could not be processed.",
      isRetryable: true,
      cause: cause
    )
  }
}
