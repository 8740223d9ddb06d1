import MediaProtocol
import Testing

@Suite("The worker's process", .serialized)
struct WorkerTests {
  @Test("A face swap runs end to end over the pipes")
  func faceSwap() throws {
    let inputs = try ["grace_hopper.jpg", "astronaut.png"].map(WorkerProcess.portrait)
    let job = MediaJob(.swapFaces(FaceSwap(scale: 2)), maximumSide: 1024)
    let outcome = try WorkerProcess().run(MediaRequest(job: job, inputs: inputs))
    #expect(outcome.status == 0, "\(outcome.complaints)")
    let replies = try outcome.replies()
    guard case .finished(let result, let png) = try #require(replies.last) else {
      Issue.record("the last reply is \(replies.last as Any)")
      return
    }
    let header = try ImageHeader.inspect(png, limits: ImageLimits())
    #expect(header.format == .png)
    #expect((header.width, header.height) == (1024, 1024))
    #expect((result.width, result.height) == (1024, 1024))
    #expect(result.sha256.count == 64)
    #expect(replies.count > 4)
  }

  @Test("Each operation finishes with its size", arguments: [1, 2])
  func restoreAndUpscale(scale: Int) throws {
    let operation: MediaOperation =
      scale == 1 ? .restore(Restoration()) : .upscale(Enlargement(scale: 2))
    let job = MediaJob(operation, watermark: Watermark(text: "OneShot free"))
    let input = try WorkerProcess.portrait("grace_hopper.jpg")
    let outcome = try WorkerProcess().run(MediaRequest(job: job, inputs: [input]))
    guard case .finished(let result, _) = try #require(try outcome.replies().last) else {
      Issue.record("no result: \(outcome.complaints)")
      return
    }
    #expect((result.width, result.height) == (512 * scale, 600 * scale))
  }

  @Test("Hostile pictures are refused by their code in little memory")
  func hostile() throws {
    let portrait = try WorkerProcess.portrait("astronaut.png")
    var huge = Array(portrait.prefix(10_000))
    huge.replaceSubrange(16..<24, with: [0, 0, 0xC3, 0x50, 0, 0, 0xC3, 0x50])
    let cases: [(String, [UInt8], MediaErrorCode)] = [
      ("text", Array("I am no picture".utf8), .imageInvalid),
      ("50,000 × 50,000 in 10 kB", huge, .imageTooLarge),
      ("cut short", Array(portrait.prefix(90_000)), .imageInvalid),
      ("followed by an archive", portrait + Array("PK\u{3}\u{4}".utf8), .imageInvalid),
      ("SVG", Array("<svg onload='alert(1)'/>".utf8), .imageTypeUnsupported),
      ("GIF with script", Array("GIF89a=1;alert(document.cookie)//".utf8), .imageTooLarge),
    ]
    let worker = WorkerProcess(addressSpaceKiB: 768 * 1024)
    for (name, bytes, code) in cases {
      let request = MediaRequest(job: MediaJob(.normalize), inputs: [bytes])
      let outcome = try worker.run(request)
      #expect(outcome.status == 1, "\(name): \(outcome.complaints)")
      #expect(try outcome.failure()?.code == code, "\(name)")
    }
  }

  @Test("What is no request is answered, not died of")
  func nonsense() throws {
    for bytes in [[], Array("GET / HTTP/1.1\r\n\r\n".utf8), [1, 1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]] {
      let outcome = try WorkerProcess().run(bytes)
      #expect(outcome.status == 1)
      #expect(!outcome.wasKilled)
      #expect(try outcome.failure()?.code == .protocolViolation)
    }
  }

  @Test("Inside the closed cage nothing can be opened, connected, started or killed")
  func cage() throws {
    let outcome = try WorkerProcess(arguments: ["--self-check"]).run([])
    let lines = String(decoding: outcome.output, as: UTF8.self).split(separator: "\n")
    let names = ["socket", "open-read", "open-write", "exec", "fork", "ptrace", "kill", "unlink"]
    // 1 is EPERM.
    #expect(lines == names.map { "\($0) 1" })
  }

  @Test("An environment that could hold a secret is refused")
  func environment() throws {
    let outcome = try WorkerProcess(environment: ["S3_SECRET_KEY": "x"]).run([])
    #expect(outcome.status == 64)
    #expect(outcome.output.isEmpty)
    #expect(!outcome.complaints.contains("S3_SECRET_KEY"))
    #expect(try WorkerProcess(environment: ["LANG": "C"]).run([]).status == 1)
  }
}
