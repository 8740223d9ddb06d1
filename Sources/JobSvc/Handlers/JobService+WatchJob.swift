internal import OneShotAPI
internal import Protobuf
internal import RPC
internal import ServiceKit

extension JobService {
  private static let eventsAtOnce: Int32 = 100

  /// Follows a job: first the stored events after the one that the client saw last, then each new
  /// one, until the job has ended.
  func watchJob(
    _ request: Jobs.WatchJobRequest,
    responses: ResponseWriter<Jobs.JobEvent>,
    context: ServerContext
  ) async throws {
    try await answering {
      let user = try context.requireUser()
      let id = try jobID(request.jobId)
      guard let watch = relay.hub.watch(id) else { throw ServiceError.unavailable() }
      defer { watch.end() }
      let unregister = drain.onDrain { watch.finish() }
      defer { unregister() }
      var last = Self.lastSeen(request, context)
      for await _ in watch.wakes {
        guard try await sendNew(after: &last, of: id, user, responses) else { return }
      }
      try Task.checkCancellation()
    }
  }

  /// Sends what is new; false when the job has ended.
  private func sendNew(
    after last: inout Int64,
    of id: JobID,
    _ user: UserID,
    _ responses: ResponseWriter<Jobs.JobEvent>
  ) async throws -> Bool {
    while true {
      let found = try await store.events(
        of: id,
        user: user,
        after: last,
        limit: Self.eventsAtOnce
      )
      guard let (events, isFinal) = found else { throw ServiceError.jobNotFound }
      for event in events {
        try await responses.send(try await printed(event, of: id))
        last = event.number
        if event.state.isFinal { return false }
      }
      // A client that has seen the last event already gets an empty stream.
      if events.count < Self.eventsAtOnce { return !isFinal }
    }
  }

  private func printed(_ event: StoredEvent, of id: JobID) async throws -> Jobs.JobEvent {
    var printed = Jobs.JobEvent()
    printed.id = event.number
    printed.event = event.kind
    printed.jobId = id.description
    printed.status = Jobs.JobState(event.state)
    printed.progress = JobProgress.percent(event.progress)
    printed.stage = event.stage.rawValue
    printed.message = event.message
    printed.errorCode = event.errorCode
    printed.createdAt = GoogleProtobuf.Timestamp(event.createdAt)
    if event.state == .succeeded {
      printed.artifacts = try await store.artifacts(of: id).map { try self.printed($0) }
    }
    return printed
  }

  private static func lastSeen(
    _ request: Jobs.WatchJobRequest,
    _ context: ServerContext
  ) -> Int64 {
    if let after = request.after { return max(0, after) }
    guard let text = context.lastEventID, !text.isEmpty else { return 0 }
    // An id that is none of ours means that the client knows nothing.
    return max(0, Int64(text) ?? 0)
  }
}
