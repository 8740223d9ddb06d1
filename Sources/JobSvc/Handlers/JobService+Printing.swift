internal import ObjectStore
internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

extension JobService {
  /// Reads a job and prints it as the API shows it.
  func printedJob(_ id: JobID, user: UserID) async throws -> Jobs.Job {
    guard let (job, artifacts) = try await store.job(id, of: user) else {
      throw ServiceError.jobNotFound
    }
    return try printed(job, artifacts)
  }

  /// Prints a stored job.
  func printed(_ job: StoredJob, _ artifacts: [StoredArtifact]) throws -> Jobs.Job {
    var printed = Jobs.Job()
    printed.id = job.id.description
    printed.jobId = job.id.description
    printed.userId = job.user.description
    printed.jobType = job.type.rawValue
    printed.status = Jobs.JobState(job.state)
    printed.progress = JobProgress.percent(job.progress)
    printed.stage = job.stage.rawValue
    printed.params = try Jobs.JobParams(decoding: job.params)
    printed.artifacts = try artifacts.map { try self.printed($0) }
    printed.creditsCost = job.creditsCost
    printed.createdAt = GoogleProtobuf.Timestamp(job.createdAt)
    printed.startedAt = job.startedAt.map(GoogleProtobuf.Timestamp.init)
    printed.finishedAt = job.finishedAt.map(GoogleProtobuf.Timestamp.init)
    printed.errorCode = job.errorCode
    printed.errorMessage = job.errorMessage
    printed.clientRef = job.clientRef
    printed.queuePosition = job.queuePosition.map(Int32.init(clamping:))
    if !job.state.isFinal {
      printed.estimatedTime = estimates.estimate(
        job.type,
        ahead: job.queuePosition ?? 0,
        concurrency: settings.concurrency
      )
    }
    return printed
  }

  /// Prints an artifact with an address that works for a short time.
  func printed(_ artifact: StoredArtifact) throws -> Jobs.Artifact {
    let url = try objects.presign(
      .download(
        key: artifact.objectKey,
        contentType: artifact.mimeType,
        lifetime: settings.downloadLifetime
      )
    )
    return .with {
      $0.id = artifact.id.description
      $0.artifactType = artifact.type
      $0.outputUrl = url
      $0.fileSize = artifact.fileSize
      $0.mimeType = artifact.mimeType
      $0.width = artifact.width
      $0.height = artifact.height
    }
  }
}

extension Jobs.JobState {
  /// The public name of a state; nobody sees an admitting job.
  init(_ state: JobState) {
    switch state {
    case .admitting, .pending: self = .pending
    case .running: self = .running
    case .succeeded: self = .succeeded
    case .failed: self = .failed
    case .cancelled: self = .cancelled
    }
  }
}

extension JobState {
  /// The state behind a public name; nil for the unspecified and unknown ones.
  init?(_ state: Jobs.JobState) {
    switch state {
    case .pending: self = .pending
    case .running: self = .running
    case .succeeded: self = .succeeded
    case .failed: self = .failed
    case .cancelled: self = .cancelled
    default: return nil
    }
  }
}
