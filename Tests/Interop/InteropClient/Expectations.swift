internal import InteropAPI
internal import RPC

/// What a case saw instead of what the description says.
struct CaseFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Fails the case unless the values are equal.
func expect<Value: Equatable>(_ what: String, _ value: Value, is wanted: Value) throws {
  guard value == wanted else { throw CaseFailure("\(what) is \(value) instead of \(wanted)") }
}

/// Fails the case unless the payload consists of `size` zeros.
func expectZeros(_ payload: GrpcTesting.Payload?, size: Int32) throws {
  guard let payload else { throw CaseFailure("the response has no payload") }
  try expect("the payload's type", payload.type.rawValue, is: 0)
  try expect("the payload's size", payload.body.count, is: Int(size))
  guard payload.body.allSatisfy({ $0 == 0 }) else {
    throw CaseFailure("the payload is not all zeros")
  }
}

/// The error with which a call ends; fails the case when it succeeds.
func failure(_ call: () async throws -> Void) async throws -> ServiceError {
  do {
    try await call()
  } catch let error as ServiceError {
    return error
  }
  throw CaseFailure("the call succeeded, though it should have failed")
}

/// Fails the case unless the call ends with the status, and with the message if one is given.
func expectStatus(
  _ code: StatusCode,
  message: String? = nil,
  _ call: () async throws -> Void
) async throws {
  let error = try await failure(call)
  try expect("the status (\(error.message))", error.code.name, is: code.name)
  if let message { try expect("the message", error.message, is: message) }
}

/// Everything that a stream brings.
func collect(
  _ responses: ResponseStream<GrpcTesting.StreamingOutputCallResponse>
) async throws -> [GrpcTesting.StreamingOutputCallResponse] {
  var all: [GrpcTesting.StreamingOutputCallResponse] = []
  for try await response in responses { all.append(response) }
  return all
}

extension GrpcTesting.Payload {
  /// Zeros, which is what requests carry.
  static func zeros(_ count: Int) -> GrpcTesting.Payload {
    .with { $0.body = [UInt8](repeating: 0, count: count) }
  }
}

extension GrpcTesting.ResponseParameters {
  static func size(_ size: Int32) -> GrpcTesting.ResponseParameters { .with { $0.size = size } }
}
