package import Logging
package import RPC
internal import Synchronization

/// Ids of the work at hand, put on every log line of its task and its child tasks.
package struct LogContext: Sendable {
  /// Id of the public request.
  package var requestID: String?
  /// W3C trace id, 32 hex digits.
  package var traceID: String?
  /// Who the work is for.
  package var userID: UserID?
  /// Which job the work is for.
  package var jobID: JobID?
  /// The call that is being answered; its ids are read when a line is written, and only then.
  private var call: ServerContext?
  /// The job that the call turned out to be about.
  private var noted: NotedJob?

  private final class NotedJob: Sendable {
    let id = Mutex<JobID?>(nil)
  }

  /// Starts without ids.
  package init(
    requestID: String? = nil,
    traceID: String? = nil,
    userID: UserID? = nil,
    jobID: JobID? = nil
  ) {
    self.requestID = requestID
    self.traceID = traceID
    self.userID = userID
    self.jobID = jobID
  }

  /// Starts with the ids of a call.
  package init(call: ServerContext) {
    self.call = call
    noted = NotedJob()
  }

  /// Puts a job's id on the lines that the current call writes from here on.
  ///
  /// A handler learns only from the request which job it is about, when its task runs already.
  package static func note(_ job: JobID) {
    current?.noted?.id.withLock { $0 = job }
  }

  /// The context of the current task.
  @TaskLocal package static var current: LogContext?

  /// Gives the current task's ids to swift-log.
  package static let provider = Logger.MetadataProvider {
    guard let current else { return [:] }
    var metadata: Logger.Metadata = [:]
    let call = current.call
    if let id = current.requestID ?? call?.requestID { metadata["request_id"] = .string(id) }
    if let id = current.traceID ?? call?.traceID { metadata["trace_id"] = .string(id) }
    if let id = current.userID ?? (call?.principal).map({ UserID($0.userID) }) {
      metadata["user_id"] = .stringConvertible(id)
    }
    if let id = current.jobID ?? current.noted?.id.withLock({ $0 }) {
      metadata["job_id"] = .stringConvertible(id)
    }
    return metadata
  }
}
