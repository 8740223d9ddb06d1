#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A whole request: the job and its pictures.
package struct MediaRequest: Sendable, Hashable {
  /// What is to be done.
  package var job: MediaJob
  /// The uploaded pictures, in the order that the operation names.
  package var inputs: [[UInt8]]

  /// A request.
  package init(job: MediaJob, inputs: [[UInt8]]) {
    self.job = job
    self.inputs = inputs
  }

  /// The bytes for the worker's standard input.
  ///
  /// - Throws: ``MediaError`` if a parameter is out of range, a picture is too large, or their
  ///   number is not the operation's.
  package func encoded() throws(MediaError) -> [UInt8] {
    try check()
    var buffer: [UInt8] = []
    MediaFrame(.job, try encodeJSON(job)).encode(into: &buffer)
    for input in inputs { MediaFrame(.input, input).encode(into: &buffer) }
    MediaFrame(.end).encode(into: &buffer)
    return buffer
  }

  /// Checks the parameters, the number of the pictures and their sizes in bytes.
  package func check() throws(MediaError) {
    try job.validate()
    guard inputs.count == job.operation.inputCount else {
      throw MediaError(
        .parameterInvalid,
        "The operation takes \(job.operation.inputCount) pictures, not \(inputs.count)."
      )
    }
    for (position, input) in inputs.enumerated() where input.count > job.limits.maximumBytes {
      let message = "The picture has more than \(job.limits.maximumBytes) bytes."
      throw MediaError(.imageTooLarge, message, image: position)
    }
  }
}

/// Reads a request in the worker.
///
/// States: *expecting the job*, *collecting inputs*, *complete*. Bytes after the end, a second job and
/// a surplus picture are protocol violations.
package struct MediaRequestReader: Sendable {
  private var decoder = MediaFrameDecoder(accepting: [.job, .input, .end])
  private var job: MediaJob?
  private var inputs: [[UInt8]] = []
  private var complete: MediaRequest?

  /// A reader at the start of a request.
  package init() {}

  /// Takes bytes as they arrive.
  ///
  /// - Returns: The request once it is complete, else nil.
  /// - Throws: ``MediaError`` when the bytes are no request.
  package mutating func receive(
    _ bytes: UnsafeRawBufferPointer
  ) throws(MediaError) -> MediaRequest? {
    for frame in try decoder.receive(bytes) { try handle(frame) }
    return complete
  }

  private mutating func handle(_ frame: MediaFrame) throws(MediaError) {
    switch (frame.kind, job, complete) {
    case (.job, nil, nil):
      job = try decodeJSON(MediaJob.self, from: frame.payload)
    case (.input, .some, nil) where inputs.count < MediaLimits.inputCount:
      inputs.append(frame.payload)
    case (.end, .some(let job), nil):
      let request = MediaRequest(job: job, inputs: inputs)
      try request.check()
      complete = request
    default:
      throw MediaError(.protocolViolation, "The frames of the request are out of order.")
    }
  }
}

/// What a worker says.
package enum MediaReply: Sendable, Hashable {
  /// A step of the job.
  case progress(MediaProgress)
  /// The end: a picture.
  case finished(MediaResult, png: [UInt8])
  /// The end: a failure.
  case failed(MediaError)

  /// The bytes for the worker's standard output.
  package func encoded() -> [UInt8] {
    var buffer: [UInt8] = []
    do throws(MediaError) {
      switch self {
      case .progress(let progress):
        MediaFrame(.progress, try encodeJSON(progress)).encode(into: &buffer)
      case .finished(let result, let png):
        MediaFrame(.result, try encodeJSON(result)).encode(into: &buffer)
        MediaFrame(.output, png).encode(into: &buffer)
      case .failed(let error):
        MediaFrame(.failure, try encodeJSON(error)).encode(into: &buffer)
      }
    } catch {
      // Plain values of bounded size: encoding them cannot fail on input from outside.
      preconditionFailure("a reply could not be encoded: \(error)")
    }
    return buffer
  }
}

/// Reads a worker's replies in the gateway.
///
/// States: *running* (progress may come), *result seen* (its picture must come), *over* (nothing may
/// come). A worker that says anything else, or stops before *over*, has failed.
package struct MediaReplyReader: Sendable {
  private enum State: Sendable {
    case running
    case resultSeen(MediaResult)
    case over
  }

  private var decoder = MediaFrameDecoder(accepting: [.progress, .result, .output, .failure])
  private var state = State.running

  /// A reader at the start of a worker's output.
  package init() {}

  /// Whether the worker has said its last word.
  package var isOver: Bool {
    if case .over = state { true } else { false }
  }

  /// Takes bytes as they arrive.
  ///
  /// - Returns: What became known, in order; the last one is `finished` or `failed` when over.
  /// - Throws: ``MediaError`` `PROTOCOL_VIOLATION` when the worker breaks the protocol.
  package mutating func receive(
    _ bytes: UnsafeRawBufferPointer
  ) throws(MediaError) -> [MediaReply] {
    var replies: [MediaReply] = []
    for frame in try decoder.receive(bytes) {
      if let reply = try handle(frame) { replies.append(reply) }
    }
    return replies
  }

  private mutating func handle(_ frame: MediaFrame) throws(MediaError) -> MediaReply? {
    switch (state, frame.kind) {
    case (.running, .progress):
      return .progress(try decodeJSON(MediaProgress.self, from: frame.payload))
    case (.running, .result):
      state = .resultSeen(try decodeJSON(MediaResult.self, from: frame.payload))
      return nil
    case (.resultSeen(let result), .output):
      guard result.byteCount == frame.payload.count else {
        throw MediaError(.protocolViolation, "The worker's picture has another size than it said.")
      }
      state = .over
      return .finished(result, png: frame.payload)
    case (.running, .failure):
      state = .over
      return .failed(try decodeJSON(MediaError.self, from: frame.payload))
    default:
      throw MediaError(.protocolViolation, "The worker's frames are out of order.")
    }
  }
}

private func encodeJSON(_ value: some Encodable) throws(MediaError) -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = .sortedKeys
  do {
    return [UInt8](try encoder.encode(value))
  } catch {
    throw MediaError(.internalFailure, "A description could not be encoded.", cause: "\(error)")
  }
}

private func decodeJSON<Value: Decodable>(
  _ type: Value.Type,
  from bytes: [UInt8]
) throws(MediaError) -> Value {
  do {
    return try JSONDecoder().decode(type, from: Data(bytes))
  } catch {
    throw MediaError(.protocolViolation, "A description could not be read.", cause: "\(error)")
  }
}
