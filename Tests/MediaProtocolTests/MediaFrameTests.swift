import MediaProtocol
import Testing

@Suite("Frames of the worker's pipe")
struct MediaFrameTests {
  private static func decode(
    _ bytes: [UInt8],
    piece: Int,
    accepting kinds: Set<MediaFrame.Kind> = Set(MediaFrame.Kind.allCases)
  ) throws -> [MediaFrame] {
    var decoder = MediaFrameDecoder(accepting: kinds)
    var frames: [MediaFrame] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      let part = Array(bytes[start..<min(start + piece, bytes.count)])
      frames += try part.withUnsafeBytes { try decoder.receive($0) }
    }
    #expect(decoder.isAtBoundary)
    return frames
  }

  @Test("Frames survive any cut of the stream", arguments: [1, 2, 3, 7, 8, 9, 64, 10_000])
  func cuts(piece: Int) throws {
    let frames = [
      MediaFrame(.job, Array("{}".utf8)),
      MediaFrame(.input, [UInt8](repeating: 7, count: 1000)),
      MediaFrame(.input),
      MediaFrame(.end),
    ]
    var bytes: [UInt8] = []
    for frame in frames { frame.encode(into: &bytes) }
    #expect(try Self.decode(bytes, piece: piece) == frames)
  }

  @Test("The header is eight bytes with the length in network order")
  func layout() {
    var bytes: [UInt8] = []
    MediaFrame(.input, [UInt8](repeating: 9, count: 0x0102)).encode(into: &bytes)
    #expect(bytes.prefix(8) == [1, 2, 0, 0, 0, 0, 1, 2])
    #expect(bytes.count == 8 + 0x0102)
  }

  @Test(
    "A header that breaks the rules is refused before its payload",
    arguments: [
      ([2, 1, 0, 0, 0, 0, 0, 0], MediaErrorCode.protocolViolation),
      ([1, 99, 0, 0, 0, 0, 0, 0], .protocolViolation),
      ([1, 17, 0, 0, 0, 0, 0, 0], .protocolViolation),
      ([1, 1, 0, 1, 0, 0, 0, 0], .protocolViolation),
      ([1, 1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], .protocolViolation),
      ([1, 2, 0, 0, 0x7F, 0, 0, 0], .imageTooLarge),
      ([1, 3, 0, 0, 0, 0, 0, 1], .protocolViolation),
    ] as [([UInt8], MediaErrorCode)]
  )
  func refusals(header: [UInt8], code: MediaErrorCode) {
    let error = #expect(throws: MediaError.self) {
      try Self.decode(header, piece: 8, accepting: [.job, .input, .end])
    }
    #expect(error?.code == code)
  }
}

@Suite("Conversation with the worker")
struct MediaConversationTests {
  private let job = MediaJob(
    .swapFaces(FaceSwap(blend: 0.5, restoration: Restoration(denoise: 0.25))),
    maximumSide: 512,
    watermark: Watermark(text: "OneShot", position: .topLeft)
  )

  private func read(_ bytes: [UInt8]) throws -> MediaRequest? {
    var reader = MediaRequestReader()
    return try bytes.withUnsafeBytes { try reader.receive($0) }
  }

  @Test("A request arrives as it was sent")
  func request() throws {
    let request = MediaRequest(job: job, inputs: [[1, 2, 3], [4, 5]])
    #expect(try read(try request.encoded()) == request)
  }

  @Test("A request with a parameter out of range or a missing picture is not sent")
  func badRequests() {
    let requests = [
      MediaRequest(job: job, inputs: [[1]]),
      MediaRequest(job: MediaJob(.upscale(Enlargement(scale: 3))), inputs: [[1]]),
      MediaRequest(job: MediaJob(.upscale(Enlargement(scale: 2, tile: 32))), inputs: [[1]]),
      MediaRequest(job: MediaJob(.restore(Restoration(denoise: 1.01))), inputs: [[1]]),
      MediaRequest(job: MediaJob(.restore(Restoration(denoise: .nan))), inputs: [[1]]),
      MediaRequest(job: MediaJob(.normalize, maximumSide: 63), inputs: [[1]]),
      MediaRequest(
        job: MediaJob(.normalize, watermark: Watermark(text: "a\nb")),
        inputs: [[1]]
      ),
    ]
    for request in requests {
      let error = #expect(throws: MediaError.self) { try request.encoded() }
      #expect(error?.code == .parameterInvalid)
    }
  }

  @Test("Frames out of order are refused")
  func disorder() throws {
    var early: [UInt8] = []
    MediaFrame(.input, [1]).encode(into: &early)
    var noJob: [UInt8] = []
    MediaFrame(.end).encode(into: &noJob)
    var nonsense: [UInt8] = []
    MediaFrame(.job, Array("[".utf8)).encode(into: &nonsense)
    let twice = try MediaRequest(job: job, inputs: [[1], [2]]).encoded()
    for bytes in [early, noJob, nonsense, twice + twice] {
      let error = #expect(throws: MediaError.self) { try read(bytes) }
      #expect(error?.code == .protocolViolation)
    }
  }

  @Test("Replies arrive in order, and nothing may follow the last word")
  func replies() throws {
    let result = MediaResult(
      width: 2,
      height: 1,
      sha256: "00",
      byteCount: 3,
      faces: [],
      noise: 1.5
    )
    let progress = MediaReply.progress(MediaProgress(stage: .denoising, fraction: 0.25))
    let finished = MediaReply.finished(result, png: [1, 2, 3])
    var reader = MediaReplyReader()
    let bytes = progress.encoded() + progress.encoded() + finished.encoded()
    let replies = try bytes.withUnsafeBytes { try reader.receive($0) }
    #expect(replies == [progress, progress, finished])
    #expect(reader.isOver)
    #expect(throws: MediaError.self) {
      try progress.encoded().withUnsafeBytes { try reader.receive($0) }
    }
  }

  @Test("A picture of another size than announced is refused")
  func lyingWorker() throws {
    let result = MediaResult(
      width: 2,
      height: 1,
      sha256: "00",
      byteCount: 4,
      faces: [],
      noise: nil
    )
    var reader = MediaReplyReader()
    #expect(throws: MediaError.self) {
      try MediaReply.finished(result, png: [1, 2, 3]).encoded().withUnsafeBytes {
        try reader.receive($0)
      }
    }
  }

  @Test("A failure keeps its code, words and picture")
  func failure() throws {
    let error = MediaError(.noFaceFound, "No face.", image: 1)
    var reader = MediaReplyReader()
    let replies = try MediaReply.failed(error).encoded().withUnsafeBytes { try reader.receive($0) }
    #expect(replies == [.failed(error)])
    #expect(error.code.isPermanent)
    #expect(!MediaErrorCode.internalFailure.isPermanent)
  }
}
