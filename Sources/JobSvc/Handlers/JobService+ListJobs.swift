internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension JobService {
  private static let defaultPage: Int32 = 20
  private static let maxPage: Int32 = 100
  private static let maxSkip: Int32 = 10_000

  /// The caller's jobs, newest first.
  func listJobs(
    _ request: Jobs.ListJobsRequest,
    context: ServerContext
  ) async throws -> Jobs.ListJobsResponse {
    try await answering {
      let user = try context.requireUser()
      let page = request.limit ?? Self.defaultPage
      guard (1...Self.maxPage).contains(page) else {
        throw RequestProblem.invalid("limit", "between 1 and \(Self.maxPage)")
      }
      var filter = try Self.filter(request, user: user)
      filter.limit = page + 1
      let found = try await store.jobs(filter)
      let items = try found.prefix(Int(page)).map { try printed($0.0, $0.1) }
      let hasMore = found.count > Int(page)
      let last = hasMore ? found[Int(page) - 1].0.id : nil
      return .with {
        $0.items = items
        $0.hasMore = hasMore
        $0.nextCursor = last.map {
          ListCursor(lastID: $0.uuid, filter: Self.fingerprint(filter)).text
        }
      }
    }
  }

  private static func filter(
    _ request: Jobs.ListJobsRequest,
    user: UserID
  ) throws -> JobStore.ListFilter {
    var filter = JobStore.ListFilter(user: user, skip: request.skip ?? 0, limit: 0)
    guard (0...maxSkip).contains(filter.skip) else {
      throw RequestProblem.invalid("skip", "between 0 and \(maxSkip)")
    }
    if let status = request.status {
      guard let state = JobState(status) else {
        throw RequestProblem.invalid("status", "a state of jobs")
      }
      filter.state = state
    }
    if let name = request.jobType {
      guard let type = JobType(name: name) else { throw RequestProblem.unknownJobType(name) }
      filter.type = type
    }
    if let text = request.cursor {
      guard request.skip == nil else {
        throw RequestProblem("INVALID_VALUE", "Send either cursor or skip", field: "skip")
      }
      guard let cursor = ListCursor(text: text), cursor.filter == fingerprint(filter) else {
        throw ServiceError(
          code: .invalidArgument,
          reason: "INVALID_CURSOR",
          message: "The cursor is not valid"
        )
      }
      filter.after = JobID(cursor.lastID)
    }
    return filter
  }

  private static func fingerprint(_ filter: JobStore.ListFilter) -> UInt32 {
    ListCursor.fingerprint(of: [filter.state?.rawValue, filter.type?.rawValue])
  }
}
