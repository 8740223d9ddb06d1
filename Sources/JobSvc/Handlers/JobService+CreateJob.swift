internal import Foundation
internal import Logging
internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

extension JobService {
  /// Starts a job: validate → store as admitting → hold credits → queue → reply.
  ///
  /// The job is nobody's until the hold stands, and queued only if it is still admitting then: a
  /// process that dies or stalls anywhere leaves a job that the reconciler gives up, or one that
  /// runs and is paid for.
  func createJob(
    _ request: Jobs.CreateJobRequest,
    context: ServerContext
  ) async throws -> Jobs.CreateJobResponse {
    try await answering {
      let user = try context.requireUser()
      let wanted = try CreationRequest(request, webhookURLs)
      let sources = try await sources(of: wanted.description, user: user)
      let job = JobID(ids.next())
      LogContext.note(job)
      switch try await store.insert(newJob(job, user, wanted, context)) {
      case .keyReused: throw ServiceError.idempotencyKeyReused
      case .inProgress: throw ServiceError.idempotencyInProgress
      case .userErased: throw ServiceError.userErased
      case .answered(let response):
        let answer = try Jobs.CreateJobResponse(decoding: response)
        context.setHeader("idempotent-replayed", "true")
        context.setHeader("location", "/api/v1/jobs/\(answer.id)")
        return answer
      case .stored(let createdAt):
        return try await admit(job, user, wanted.description, sources, createdAt, context)
      }
    }
  }

  private func newJob(
    _ id: JobID,
    _ user: UserID,
    _ wanted: CreationRequest,
    _ context: ServerContext
  ) throws -> JobStore.NewJob {
    let key = try IdempotencyKey.read(context.idempotencyKey)
    return JobStore.NewJob(
      id: id,
      user: user,
      type: wanted.description.type,
      params: wanted.description.params.encoded(),
      ownPriority: wanted.ownPriority,
      clientRef: wanted.clientRef,
      webhookURL: wanted.webhookURL,
      idempotency: key.map { ($0, wanted.fingerprint) }
    )
  }

  private func admit(
    _ job: JobID,
    _ user: UserID,
    _ description: JobDescription,
    _ sources: [JobDescription.InputName: InputReference],
    _ createdAt: Date,
    _ context: ServerContext
  ) async throws -> Jobs.CreateJobResponse {
    let hold = try await hold(job, user, description, context)
    let plan = hold.entitlements ?? Billing.Entitlements()
    let planSide = plan.limits?.maxSide ?? 0
    let spec = SpecBuilder(
      maxSide: min(description.maxSide ?? planSide, planSide),
      sources: sources
    )
    let response = Jobs.CreateJobResponse.with {
      $0.id = job.description
      $0.jobId = job.description
      $0.status = .pending
      $0.jobType = description.type.rawValue
      $0.createdAt = GoogleProtobuf.Timestamp(createdAt)
      $0.creditsCost = hold.creditsCost
      $0.estimatedTime = estimates.estimate(
        description.type,
        concurrency: settings.concurrency
      )
    }
    let admission = JobStore.Admission(
      spec: spec.spec(for: description).encoded(),
      policy: Self.policy(plan, job: job, user: user).encoded(),
      queueClass: plan.priority,
      creditsCost: hold.creditsCost,
      response: response.encoded()
    )
    // Zero rows: the reconciler was faster and releases the hold.
    guard try await store.admit(job, admission) else { throw ServiceError.unavailable() }
    bell.ring()
    context.setHeader("location", "/api/v1/jobs/\(job)")
    return response
  }

  // MARK: Hold

  private static let holdTimeout: Duration = .seconds(3)

  private func hold(
    _ job: JobID,
    _ user: UserID,
    _ description: JobDescription,
    _ context: ServerContext
  ) async throws -> Billing.HoldCreditsResponse {
    let request = Billing.HoldCreditsRequest.with {
      $0.jobId = job.description
      $0.userId = user.description
      $0.jobType = description.type.rawValue
      $0.maxSide = description.maxSide
      $0.features = description.features
      $0.consents = description.consents
    }
    let options = context.callOptions.within(Self.holdTimeout)
    do {
      return try await billing.holdCredits(request, options: options)
    } catch let error as ServiceError {
      if Self.isRefusal(error) {
        try await store.refuse(job)
        throw error
      }
      // Whether there is a hold is unknown: the job is given up first, then the hold released.
      _ = try await store.giveUpAdmitting(only: job, olderThan: .zero)
      settlements.wake()
      throw ServiceError.unavailable(cause: error)
    }
  }

  /// Whether billing has decided, so that there is surely no hold.
  ///
  /// Errors of the runtime carry their code's name as the reason; they tell nothing of the hold.
  private static func isRefusal(_ error: ServiceError) -> Bool {
    guard error.reason != error.code.name else { return false }
    return switch error.code {
    case .invalidArgument, .failedPrecondition, .resourceExhausted, .permissionDenied, .notFound,
      .outOfRange, .unauthenticated:
      true
    default: false
    }
  }

  private static func policy(
    _ plan: Billing.Entitlements,
    job: JobID,
    user: UserID
  ) -> Gpu.OutputPolicy {
    .with {
      $0.watermark = plan.watermark == "always"
      $0.blockNsfw = plan.nsfwMode == "block"
      $0.artifactPrefix = ObjectKey.artifactPrefix(user: user, job: job)
    }
  }

  // MARK: Inputs

  /// Where each picture is; uploads named by id are looked up together.
  private func sources(
    of description: JobDescription,
    user: UserID
  ) async throws -> [JobDescription.InputName: InputReference] {
    var sources: [JobDescription.InputName: InputReference] = [:]
    var uploads: [JobDescription.InputName: UploadID] = [:]
    for (name, given) in description.inputs {
      switch given {
      case .url(let text, let field):
        sources[name] = try addresses.reference(text, field: field, user: user)
      case .upload(let text, let field):
        guard let id = UploadID(text: text) else { throw RequestProblem.noSuchUpload(field) }
        uploads[name] = id
      }
    }
    if !uploads.isEmpty {
      let keys = try await self.uploads.keys(of: Array(uploads.values), user: user)
      for (name, id) in uploads { sources[name] = keys[id].map(InputReference.object) }
    }
    for (name, given) in description.inputs {
      guard let source = sources[name] else { throw RequestProblem.noSuchUpload(given.field) }
      try await checkPresence(source, field: given.field)
    }
    return sources
  }

  /// Refuses an object of ours to which nothing was sent yet.
  private func checkPresence(_ source: InputReference, field: String) async throws {
    guard case .object(let key) = source else { return }
    guard try await objects.head(key) != nil else { throw RequestProblem.incompleteUpload(field) }
  }
}

extension ServiceError {
  fileprivate static var idempotencyKeyReused: ServiceError {
    ServiceError(
      code: .invalidArgument,
      reason: "IDEMPOTENCY_KEY_REUSED",
      message: "The Idempotency-Key was used for another request"
    )
  }

  fileprivate static var idempotencyInProgress: ServiceError {
    ServiceError(
      code: .aborted,
      reason: "IDEMPOTENCY_IN_PROGRESS",
      message: "The first request with this Idempotency-Key has not ended yet",
      retryAfter: .seconds(1)
    )
  }
}
