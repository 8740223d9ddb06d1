internal import Foundation
internal import Postgres
internal import ServiceKit

extension JobStore {
  /// Which jobs a list shows.
  struct ListFilter: Sendable {
    var user: UserID
    var state: JobState?
    var type: JobType?
    /// Jobs older than this one.
    var after: JobID?
    var skip: Int32
    /// Rows to return, one more than a page to see whether there is another.
    var limit: Int32
  }

  private static let columns = """
    j.id, j.user_id, j.job_type, j.state, j.stage, j.progress, j.params, j.credits_cost,
    j.client_ref, j.attempt, j.created_at, j.started_at, j.finished_at, j.error_code,
    j.error_message
    """

  private static let artifactColumns = """
    a.id, a.job_id, a.artifact_type, a.object_key, a.file_size, a.mime_type, a.width, a.height
    """

  /// Jobs ahead of `j`, counted up to 1,000.
  private static let position = """
    CASE WHEN j.state = 'pending' THEN (
      SELECT count(*) FROM (
        SELECT 1 FROM job q WHERE q.state = 'pending' AND
          (q.queue_class > j.queue_class
           OR (q.queue_class = j.queue_class AND q.admitted_at < j.admitted_at))
        LIMIT 1000) ahead)
    END
    """

  /// One job of `user`'s with its artifacts: one statement.
  func job(_ id: JobID, of user: UserID) async throws -> (StoredJob, [StoredArtifact])? {
    let rows = try await database.query(
      """
      SELECT \(unescaped: Self.columns), \(unescaped: Self.position),
             \(unescaped: Self.artifactColumns)
      FROM job j LEFT JOIN artifact a ON a.job_id = j.id
      WHERE j.id = \(id.uuid) AND j.user_id = \(user.uuid) AND j.admitted_at IS NOT NULL
      ORDER BY a.position
      """
    )
    guard let first = rows.first else { return nil }
    var column = ColumnReader(first)
    let job = try Self.job(&column)
    // Without artifacts the row of the job stands alone.
    if first.isNull(at: column.position) { return (job, []) }
    return (job, try rows.map { try Self.artifact($0, from: column.position) })
  }

  /// The newest jobs first, each with its artifacts.
  func jobs(_ filter: ListFilter) async throws -> [(StoredJob, [StoredArtifact])] {
    let rows = try await database.query(
      """
      SELECT \(unescaped: Self.columns), \(unescaped: Self.position) FROM job j
      WHERE j.user_id = \(filter.user.uuid) AND j.admitted_at IS NOT NULL
        AND (\(filter.state?.rawValue)::text IS NULL OR j.state = \(filter.state?.rawValue)::text)
        AND (\(filter.type?.rawValue)::text IS NULL OR j.job_type = \(filter.type?.rawValue)::text)
        AND (\(filter.after?.uuid)::uuid IS NULL OR j.id < \(filter.after?.uuid)::uuid)
      ORDER BY j.id DESC LIMIT \(filter.limit) OFFSET \(filter.skip)
      """
    )
    let jobs = try rows.map { row in
      var column = ColumnReader(row)
      return try Self.job(&column)
    }
    let finished = jobs.filter { $0.state == .succeeded }.map(\.id)
    guard !finished.isEmpty else { return jobs.map { ($0, []) } }
    let artifacts = try await self.artifacts(of: finished)
    let byJob = Dictionary(grouping: artifacts, by: \.job)
    return jobs.map { ($0, byJob[$0.id] ?? []) }
  }

  /// Events after number `number`, oldest first, at most `limit`, and whether the job has ended.
  ///
  /// - Returns: Nil if the user has no such job.
  func events(
    of id: JobID,
    user: UserID,
    after number: Int64,
    limit: Int32
  ) async throws -> (events: [StoredEvent], isFinal: Bool)? {
    let results = try await database.batch([
      """
      SELECT finished_at IS NOT NULL FROM job
      WHERE id = \(id.uuid) AND user_id = \(user.uuid) AND admitted_at IS NOT NULL
      """,
      """
      SELECT number, kind, state, stage, progress, message, error_code, created_at
      FROM job_event WHERE job_id = \(id.uuid) AND number > \(number)
      ORDER BY number LIMIT \(limit)
      """,
    ])
    guard let row = results[0].first else { return nil }
    return (try results[1].map(Self.event), try row.decode(at: 0, as: Bool.self))
  }

  /// Whether the job's user has cancelled it.
  func isCancelled(_ id: JobID) async throws -> Bool {
    let rows = try await database.query(
      "SELECT 1 FROM job WHERE id = \(id.uuid) AND state = 'cancelled'"
    )
    return !rows.isEmpty
  }

  /// Artifacts of one job.
  func artifacts(of id: JobID) async throws -> [StoredArtifact] {
    try await artifacts(of: [id])
  }

  private func artifacts(of jobs: [JobID]) async throws -> [StoredArtifact] {
    let rows = try await database.query(
      """
      SELECT \(unescaped: Self.artifactColumns) FROM artifact a
      WHERE a.job_id = ANY(\(jobs.map(\.uuid))) ORDER BY a.job_id, a.position
      """
    )
    return try rows.map { try Self.artifact($0) }
  }

  private static func job(_ column: inout ColumnReader) throws -> StoredJob {
    StoredJob(
      id: JobID(try column.next()),
      user: UserID(try column.next()),
      type: try column.name(),
      state: try column.name(),
      stage: try column.name(),
      progress: try column.next(),
      params: try column.next(),
      creditsCost: try column.next(),
      clientRef: try column.next(),
      attempt: try column.next(),
      createdAt: try column.next(),
      startedAt: try column.next(),
      finishedAt: try column.next(),
      errorCode: try column.next(),
      errorMessage: try column.next(),
      queuePosition: try column.next()
    )
  }

  private static func artifact(_ row: PostgresRow, from position: Int = 0) throws -> StoredArtifact
  {
    var column = ColumnReader(row, from: position)
    return StoredArtifact(
      id: ArtifactID(try column.next()),
      job: JobID(try column.next()),
      type: try column.next(),
      objectKey: try column.next(),
      fileSize: try column.next(),
      mimeType: try column.next(),
      width: try column.next(),
      height: try column.next()
    )
  }

  private static func event(_ row: PostgresRow) throws -> StoredEvent {
    var column = ColumnReader(row)
    return StoredEvent(
      number: try column.next(),
      kind: try column.next(),
      state: try column.name(),
      stage: try column.name(),
      progress: try column.next(),
      message: try column.next(),
      errorCode: try column.next(),
      createdAt: try column.next()
    )
  }
}

extension JobStore {
  /// Waiting jobs by class, and running jobs.
  func queueDepth() async throws -> (waiting: [Int32: Int64], running: Int64) {
    let results = try await database.batch([
      "SELECT queue_class, count(*) FROM job WHERE state = 'pending' GROUP BY queue_class",
      "SELECT count(*) FROM job WHERE state = 'running'",
    ])
    var waiting: [Int32: Int64] = [:]
    for row in results[0] {
      let (number, count) = try row.decode(Int32.self, Int64.self)
      waiting[number] = count
    }
    return (waiting, try results[1].first?.decode(at: 0, as: Int64.self) ?? 0)
  }
}
