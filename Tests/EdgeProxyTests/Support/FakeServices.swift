import Foundation
import Net
import EventLoop
import OneShotAPI
import Protobuf
import RPC

extension EdgeFixture {
  /// Services that answer from memory, as `jobs` behind mutual TLS.
  static func startBackend(_ group: EventLoopGroup) async throws -> RPCServer {
    var registry = MethodRegistry()
    addAccounts(to: &registry)
    addJobs(to: &registry)
    registry.stream(Jobs.JobServiceMethods.watchJob) { requests, responses, context in
      try await watch(requests, responses, context)
    }
    return try await RPCServer.start(
      .init(endpoint: try Endpoint("127.0.0.1:0"), tls: certificate(.server, "jobs")),
      registry: registry,
      group: group
    )
  }

  private static func addAccounts(to registry: inout MethodRegistry) {
    registry.unary(Auth.AuthServiceMethods.login) { bytes, _ in
      let request = try Auth.LoginRequest(decoding: bytes)
      guard request.password == "right" else {
        throw ServiceError(
          code: .unauthenticated,
          reason: "INVALID_CREDENTIALS",
          message: "Wrong e-mail or password."
        )
      }
      var reply = Auth.LoginResponse()
      reply.accessToken = "a"
      reply.tokenType = "bearer"
      reply.user = .with { $0.email = request.email }
      return framed(reply)
    }
    // Shows what reached the service.
    registry.unary(Auth.AuthServiceMethods.getMe) { _, context in
      var reply = Auth.GetMeResponse()
      reply.id = context.principal?.userID.uuidString.lowercased() ?? ""
      reply.email = context.metadata.fields.map { "\($0.name)=\($0.value)" }.joined(separator: "\n")
      reply.createdAt = .with { $0.seconds = 1_700_000_000 }
      return framed(reply)
    }
  }

  private static func addJobs(to registry: inout MethodRegistry) {
    registry.unary(Jobs.JobServiceMethods.createJob) { bytes, context in
      let request = try Jobs.CreateJobRequest(decoding: bytes)
      if request.jobType == "expensive" {
        throw ServiceError(
          code: .resourceExhausted,
          reason: "DAILY_LIMIT_EXCEEDED",
          message: "Daily limit (5/5).",
          retryAfter: .seconds(60),
          metadata: ["extras_json": #"{"limit":5}"#]
        )
      }
      if request.jobType == "crash" { throw CancellationError() }
      context.setHeader("location", "/api/v1/jobs/j1")
      context.setHeader("x-secret", "s")
      var reply = Jobs.CreateJobResponse()
      reply.id = context.idempotencyKey ?? "none"
      reply.jobType = request.jobType
      reply.status = .pending
      return framed(reply)
    }
    registry.unary(Jobs.JobServiceMethods.getJob) { bytes, _ in
      let request = try Jobs.GetJobRequest(decoding: bytes)
      guard request.jobId != "missing" else {
        throw ServiceError(code: .notFound, reason: "NOT_FOUND", message: "No such job.")
      }
      var reply = Jobs.GetJobResponse()
      reply.job = .with { $0.id = request.jobId }
      return framed(reply)
    }
    registry.unary(Jobs.JobServiceMethods.listJobs) { bytes, _ in
      let request = try Jobs.ListJobsRequest(decoding: bytes)
      var reply = Jobs.ListJobsResponse()
      reply.items = (0..<(request.limit ?? 1)).map { number in .with { $0.id = "\(number)" } }
      reply.hasMore = request.status == .running
      return framed(reply)
    }
  }

  /// Three events after the one that the client saw last; `job_id` chooses how it ends.
  private static func watch(
    _ requests: RawRequestStream,
    _ responses: RawResponseWriter,
    _ context: ServerContext
  ) async throws {
    var job = ""
    for try await bytes in requests { job = try Jobs.WatchJobRequest(decoding: bytes).jobId }
    if job == "missing" {
      throw ServiceError(code: .notFound, reason: "NOT_FOUND", message: "No such job.")
    }
    let last = Int64(context.lastEventID ?? "0") ?? 0
    for number in last..<3 {
      var event = Jobs.JobEvent()
      event.id = number + 1
      event.event = number == 2 ? "succeeded" : "progress"
      event.jobId = job
      event.progress = Int32(number * 50)
      try await responses.send(framed(event))
      if job == "broken" {
        throw ServiceError(code: .unavailable, reason: "UNAVAILABLE", message: "Lost.")
      }
    }
    if job == "endless" {
      try await Task.sleep(for: MonotonicInstant.now.duration(to: context.deadline))
    }
  }

  private static func framed(_ message: some ProtobufMessage) -> [UInt8] {
    message.encoded(reserving: RPCFraming.prefixLength)
  }
}
