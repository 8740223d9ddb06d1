import EventLoop
internal import Foundation
internal import InteropAPI
internal import RPC

/// Answers as gRPC's interop description says, section "Server"
/// (https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md).
struct TestService: GrpcTesting.TestServiceHandler {
  /// Largest payload that a request may ask for; four times what the tests need.
  private static let maxPayloadBytes = 2 * 1_024 * 1_024
  /// How long a cache may keep an answer of `CacheableUnaryCall`.
  private static let cacheControl = "max-age=60, public"

  private let serverID = UUID().uuidString.lowercased()

  func emptyCall(
    _ request: GrpcTesting.Empty,
    context: ServerContext
  ) async throws -> GrpcTesting.Empty {
    context.echoMetadata()
    return GrpcTesting.Empty()
  }

  func unaryCall(
    _ request: GrpcTesting.SimpleRequest,
    context: ServerContext
  ) async throws -> GrpcTesting.SimpleResponse {
    context.echoMetadata()
    try check(request.expectCompressed, context)
    try fail(as: request.responseStatus)
    if request.responseCompressed?.value == true { context.compressReply() }
    return try .with {
      $0.payload = try payload(request.responseSize, request.responseType)
      if request.fillServerId { $0.serverId = serverID }
      if request.fillUsername { $0.username = context.caller ?? "" }
    }
  }

  func cacheableUnaryCall(
    _ request: GrpcTesting.SimpleRequest,
    context: ServerContext
  ) async throws -> GrpcTesting.SimpleResponse {
    context.setHeader("cache-control", Self.cacheControl)
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let text = "\(now.tv_sec * 1_000_000_000 + now.tv_nsec)"
    return .with { $0.payload = .with { $0.body = Array(text.utf8) } }
  }

  func streamingOutputCall(
    _ request: GrpcTesting.StreamingOutputCallRequest,
    responses: ResponseWriter<GrpcTesting.StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {
    context.echoMetadata()
    // Agreed on with the first message; each message says for itself whether it is compressed.
    context.compressReply()
    try await answer(request, responses)
  }

  func streamingInputCall(
    _ requests: RequestStream<GrpcTesting.StreamingInputCallRequest>,
    context: ServerContext
  ) async throws -> GrpcTesting.StreamingInputCallResponse {
    context.echoMetadata()
    var size = 0
    for try await request in requests {
      try check(request.expectCompressed, context)
      size += request.payload?.body.count ?? 0
    }
    return .with { $0.aggregatedPayloadSize = Int32(truncatingIfNeeded: size) }
  }

  func fullDuplexCall(
    _ requests: RequestStream<GrpcTesting.StreamingOutputCallRequest>,
    responses: ResponseWriter<GrpcTesting.StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {
    context.echoMetadata()
    context.compressReply()
    for try await request in requests { try await answer(request, responses) }
  }

  func halfDuplexCall(
    _ requests: RequestStream<GrpcTesting.StreamingOutputCallRequest>,
    responses: ResponseWriter<GrpcTesting.StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {
    context.echoMetadata()
    context.compressReply()
    var parameters: [GrpcTesting.ResponseParameters] = []
    for try await request in requests {
      try fail(as: request.responseStatus)
      parameters += request.responseParameters
    }
    for one in parameters { try await send(one, responses) }
  }

  // MARK: Answers

  private func answer(
    _ request: GrpcTesting.StreamingOutputCallRequest,
    _ responses: ResponseWriter<GrpcTesting.StreamingOutputCallResponse>
  ) async throws {
    try fail(as: request.responseStatus)
    for one in request.responseParameters {
      try await send(one, responses, request.responseType)
    }
  }

  private func send(
    _ parameters: GrpcTesting.ResponseParameters,
    _ responses: ResponseWriter<GrpcTesting.StreamingOutputCallResponse>,
    _ type: GrpcTesting.PayloadType = .compressable
  ) async throws {
    if parameters.intervalUs > 0 {
      try await ContinuousClock().sleep(for: .microseconds(parameters.intervalUs))
    }
    try await responses.send(
      .with { $0.payload = try payload(parameters.size, type) },
      compress: parameters.compressed?.value ?? false
    )
  }

  /// Zeros, as many as asked for.
  private func payload(
    _ size: Int32,
    _ type: GrpcTesting.PayloadType
  ) throws -> GrpcTesting.Payload {
    guard type == .compressable else {
      throw ServiceError.runtime(.invalidArgument, "payload type \(type.rawValue) is not supported")
    }
    guard (0...Self.maxPayloadBytes).contains(Int(size)) else {
      throw ServiceError.runtime(
        .invalidArgument,
        "a payload has 0 to \(Self.maxPayloadBytes) bytes, not \(size)"
      )
    }
    return .with { $0.body = [UInt8](repeating: 0, count: Int(size)) }
  }

  /// Refuses a message that came compressed though it should not have, or the other way round.
  private func check(_ expected: GrpcTesting.BoolValue?, _ context: ServerContext) throws {
    guard let expected, expected.value != context.wasRequestCompressed else { return }
    throw ServiceError.runtime(
      .invalidArgument,
      expected.value ? "the message was not compressed" : "the message was compressed"
    )
  }

  private func fail(as status: GrpcTesting.EchoStatus?) throws {
    guard let status, status.code != 0 else { return }
    let code = StatusCode(rawValue: Int(status.code)) ?? .unknown
    throw ServiceError.runtime(code, status.message)
  }
}

extension ServerContext {
  /// Sends back the two fields that clients look for: one at the start of the reply, one at its end.
  fileprivate func echoMetadata() {
    for value in metadata.values(of: "x-grpc-test-echo-initial") {
      setHeader("x-grpc-test-echo-initial", value)
    }
    for value in metadata.values(of: "x-grpc-test-echo-trailing-bin") {
      setTrailer("x-grpc-test-echo-trailing-bin", value)
    }
  }
}
