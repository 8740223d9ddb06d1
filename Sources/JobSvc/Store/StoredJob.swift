internal import Foundation
internal import ServiceKit

/// A job as its user may see it.
struct StoredJob: Sendable {
  let id: JobID
  let user: UserID
  let type: JobType
  let state: JobState
  let stage: JobStage
  /// Basis points.
  let progress: Int32
  /// `oneshot.jobs.v1.JobParams`, encoded.
  let params: [UInt8]
  let creditsCost: Int64
  let clientRef: String?
  let attempt: Int32
  let createdAt: Date
  let startedAt: Date?
  let finishedAt: Date?
  let errorCode: String?
  let errorMessage: String?
  /// Jobs ahead, while the job waits; counted up to a bound.
  let queuePosition: Int64?
}

/// A finished picture.
struct StoredArtifact: Sendable {
  let id: ArtifactID
  let job: JobID
  let type: String
  let objectKey: String
  let fileSize: Int64
  let mimeType: String
  let width: Int32
  let height: Int32
}

/// One step that watchers are told.
struct StoredEvent: Sendable {
  let number: Int64
  let kind: String
  let state: JobState
  let stage: JobStage
  let progress: Int32
  let message: String?
  let errorCode: String?
  let createdAt: Date
}
