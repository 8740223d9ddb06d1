internal import EventLoop
internal import Foundation
internal import MediaProtocol
internal import OneShotAPI
internal import Synchronization

/// Does the work on this machine's CPU, in a MediaWorker process of its own for each job.
///
/// Pictures from outside are decoded there and nowhere else: without environment, descriptors,
/// secrets or network, under limits that the worker sets itself, and killed when time is over.
struct EmbeddedProvider: Provider {
  let name = "embedded"
  let pipelines = Set(Pipeline.allCases)
  let capacity: Int
  private let path: String
  private let limits: ImageLimits
  private let group: EventLoopGroup
  private let slots: WorkerSlots

  /// Longest life of a worker.
  private static let timeout: Duration = .seconds(120)

  /// Runs at most `capacity` workers of the program at `path`.
  init(path: String, capacity: Int, limits: ImageLimits, group: EventLoopGroup) {
    self.path = path
    self.capacity = capacity
    self.limits = limits
    self.group = group
    slots = WorkerSlots(count: capacity)
  }

  func run(_ work: ProviderWork, report: @escaping ProgressReport) async throws -> [Picture] {
    let request = MediaRequest(
      job: try MediaJob(work.spec, policy: work.policy, limits: limits),
      inputs: work.inputs
    )
    let input: [UInt8]
    do {
      input = try request.encoded()
    } catch {
      throw RunFailure(error)
    }
    report(.warming, 0)
    return try await slots.withSlot {
      [try await runWorker(input, report: report)]
    }
  }

  private func runWorker(
    _ input: [UInt8],
    report: @escaping ProgressReport
  ) async throws -> Picture {
    let conversation = WorkerConversation(report: report)
    let child = ChildProcess(loop: group.preferred()) { conversation.receive($0) }
    let end: ChildProcess.End
    do {
      end = try await child.run(path, input: input, timeout: Self.timeout)
    } catch {
      throw RunFailure.provider("\(error)")
    }
    try Task.checkCancellation()
    return try conversation.result(of: end)
  }

  func check() async throws {
    let path = path
    let isThere = try await group.preferred().offload {
      FileManager.default.isExecutableFile(atPath: path)
    }
    guard isThere else { throw RunFailure.provider("\(path) is not executable") }
  }
}

/// What one worker has said.
private final class WorkerConversation: Sendable {
  private struct State {
    var reader = MediaReplyReader()
    var last: Result<Picture, RunFailure>?
  }

  private let state = Mutex(State())
  private let report: ProgressReport

  init(report: @escaping ProgressReport) {
    self.report = report
  }

  /// Takes output; false once nothing more may come.
  func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var steps: [MediaProgress] = []
    let goesOn = state.withLock { state in
      do throws(MediaError) {
        for reply in try state.reader.receive(bytes) {
          switch reply {
          case .progress(let step): steps.append(step)
          case .finished(_, let png): state.last = Self.picture(png)
          case .failed(let error): state.last = .failure(RunFailure(error))
          }
        }
        return !state.reader.isOver
      } catch {
        state.last = .failure(RunFailure(error))
        return false
      }
    }
    for step in steps { report(step.stage.runStage, step.fraction) }
    return goesOn
  }

  /// A finished picture, judged by its own head: a worker that was taken over may say anything.
  private static func picture(_ png: [UInt8]) -> Result<Picture, RunFailure> {
    guard let header = try? ImageHeader(parsing: png), header.format == .png else {
      return .failure(.provider("the worker's result is no PNG"))
    }
    return .success(
      Picture(
        bytes: png,
        contentType: "image/png",
        width: header.width,
        height: header.height
      )
    )
  }

  /// The picture, or why there is none.
  func result(of end: ChildProcess.End) throws -> Picture {
    guard let last = state.withLock({ $0.last }) else {
      throw RunFailure.provider("worker ended with \(end.status): \(end.complaint)")
    }
    return try last.get()
  }
}

extension MediaStage {
  /// The public stage that a worker's step belongs to.
  fileprivate var runStage: Gpu.RunStage {
    switch self {
    case .encoding, .watermarking: .uploading
    default: .running
    }
  }
}

extension MediaJob {
  /// The worker's words for a specification.
  fileprivate init(
    _ spec: Gpu.JobSpec,
    policy: Gpu.OutputPolicy,
    limits: ImageLimits
  ) throws(RunFailure) {
    let operation: MediaOperation
    switch spec.pipeline {
    case .faceRestore(let restore):
      operation = .restore(
        Restoration(
          denoise: restore.denoise,
          enhance: restore.enhance,
          scale: Int(restore.scale)
        )
      )
    case .upscale(let upscale):
      operation = .upscale(Enlargement(scale: Int(upscale.scale), tile: Int(upscale.tile)))
    case .faceSwap(let swap):
      operation = .swapFaces(
        FaceSwap(
          blend: swap.blend,
          strength: swap.swapStrength,
          restoration: swap.restoreModel.isEmpty ? nil : Restoration(),
          scale: Int(swap.upscale)
        )
      )
    case nil: throw .input("INVALID_ARGUMENT", "The job is not understood.")
    }
    let text = policy.watermarkText.isEmpty ? "OneShot" : policy.watermarkText
    self.init(
      operation,
      maximumSide: Int(spec.maxSide),
      limits: limits,
      watermark: policy.watermark ? Watermark(text: text) : nil
    )
  }
}
