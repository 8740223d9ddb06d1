internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension JobService {
  /// Cancels a user's jobs and removes them with uploads, results, notices and all pictures.
  ///
  /// Every call does what can be done now, in an order that may be cut off anywhere: an object goes
  /// before the row that knows of it.
  func eraseUserData(
    _ request: Jobs.EraseUserDataRequest,
    context: ServerContext
  ) async throws -> Jobs.EraseUserDataResponse {
    try await answering {
      guard let user = UserID(text: request.userId) else {
        throw RequestProblem("INVALID_VALUE", "Field 'user_id' must be a UUID", field: "user_id")
      }
      let cancelled = try await erasures.begin(user)
      settlements.wake()
      for job in cancelled { await relay.announce(job) }
      // Results are removed once no run can store another.
      let runs = try await gateway.eraseUserData(
        .with { $0.userId = user.description },
        options: context.callOptions
      )
      try await eraseUploads(of: user)
      if runs.done { try await eraseJobs(of: user) }
      let isDone = try await erasures.isDone(user)
      return .with { $0.done = runs.done && isDone }
    }
  }

  private func eraseUploads(of user: UserID) async throws {
    while true {
      let uploads = try await erasures.uploads(of: user)
      guard !uploads.isEmpty else { return }
      for upload in uploads { try await objects.delete(upload.objectKey) }
      try await erasures.didRemove(uploads)
    }
  }

  private func eraseJobs(of user: UserID) async throws {
    while true {
      let jobs = try await erasures.endedJobs(of: user)
      guard !jobs.isEmpty else { return }
      for job in jobs {
        // A run that was stopped may have stored a result of which nobody was told.
        let untold = ObjectKey.artifactPrefix(user: user, job: job.id) + "result.png"
        for key in Set(job.objectKeys + [untold]) { try await objects.delete(key) }
      }
      try await erasures.remove(jobs)
    }
  }
}
