internal import OneShotAPI
internal import Postgres
internal import RPC
internal import ServiceKit

extension ServerContext {
  /// The user on whose behalf the call is made.
  ///
  /// - Throws: ``ServiceError`` `.unauthenticated` when there is none.
  func requireUser() throws(ServiceError) -> UserID {
    guard let principal else {
      throw ServiceError(
        code: .unauthenticated,
        reason: "UNAUTHENTICATED",
        message: "Not signed in"
      )
    }
    return UserID(principal.userID)
  }
}

extension ServiceError {
  /// The job is absent, or somebody else's: the two must look alike.
  static var jobNotFound: ServiceError {
    ServiceError(code: .notFound, reason: "NOT_FOUND", message: "Job not found")
  }

  /// The user's account is gone; only their access token is still there, for minutes.
  static var userErased: ServiceError {
    ServiceError(
      code: .unauthenticated,
      reason: "INVALID_TOKEN",
      message: "The token is not valid. Please sign in again."
    )
  }

  /// Something that we need is away for a moment.
  static func unavailable(cause: (any Error)? = nil) -> ServiceError {
    ServiceError(
      code: .unavailable,
      reason: "UNAVAILABLE",
      message: "The service is not available right now",
      retryAfter: .seconds(1),
      cause: cause
    )
  }
}

/// Runs a handler's body and turns the errors of its parts into those that cross services.
func answering<Answer>(_ body: () async throws -> Answer) async throws(ServiceError) -> Answer {
  do {
    return try await body()
  } catch let error as ServiceError {
    throw error
  } catch let problem as RequestProblem {
    throw problem.serviceError
  } catch let error as PostgresError {
    throw ServiceError(error)
  } catch {
    throw .wrapping(error)
  }
}

/// Reads the id of the job that a call is about, from a path or a field; it stands on the log lines.
func jobID(_ text: String) throws(ServiceError) -> JobID {
  // Whatever is no id names no job.
  guard let id = JobID(text: text) else { throw .jobNotFound }
  LogContext.note(id)
  return id
}
