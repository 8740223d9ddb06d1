internal import OneShotAPI
internal import Protobuf
internal import ProtobufJSON
internal import ServiceKit

extension JobService {
  private static let noticeSchema = JSONSchema(roots: [Jobs.JobNotice.info])
  private static let noticePlan = noticeSchema.plan(named: Jobs.JobNotice.info.fullName)

  /// The body of a job's notice: the job as GetJob answers it, with fresh addresses.
  ///
  /// - Returns: Nil when the user has no such job.
  func notice(of id: JobID, user: UserID) async throws -> [UInt8]? {
    guard let (job, artifacts) = try await store.job(id, of: user) else { return nil }
    var notice = Jobs.JobNotice()
    notice.type = "job.\(job.state.rawValue)"
    notice.timestamp = job.finishedAt.map(GoogleProtobuf.Timestamp.init)
    notice.data = try printed(job, artifacts)
    guard let plan = Self.noticePlan else { return nil }
    var body: [UInt8] = []
    try notice.encoded().withUnsafeBytes { bytes in
      try Self.noticeSchema.print(bytes, as: plan, to: &body)
    }
    return body
  }

  /// Prints how a notice stands.
  func printed(_ webhook: StoredWebhook) -> Jobs.WebhookDelivery {
    .with {
      $0.id = WebhookStore.publicID(webhook.id)
      $0.jobId = webhook.job.description
      $0.status =
        switch webhook.state {
        case .pending: .pending
        case .delivered: .delivered
        case .dead: .dead
        }
      $0.attempts = webhook.attempts
      $0.lastStatus = webhook.lastStatus
      $0.lastError = webhook.lastError
      if webhook.state == .pending { $0.nextAttemptAt = GoogleProtobuf.Timestamp(webhook.dueAt) }
      $0.endedAt = webhook.endedAt.map(GoogleProtobuf.Timestamp.init)
    }
  }
}
