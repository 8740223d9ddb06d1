import SwiftProtobuf

/// The measurements of `codec-bench` on swift-protobuf.
@main
enum SwiftProtobufCodec {
  static func main() throws {
    let milliseconds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 100
    let clock = BenchClock(milliseconds: milliseconds)
    try measure(clock, "echo 100 B", BenchMessages.echo(100))
    try measure(clock, "echo 1 KB", BenchMessages.echo(1000))
    try measure(clock, "CreateJob", BenchMessages.createJob)
    try measure(clock, "Job", BenchMessages.job(1))
    try measure(clock, "page 10 KB", BenchMessages.page)
  }

  static func measure<M: SwiftProtobuf.Message>(
    _ clock: BenchClock,
    _ name: String,
    _ message: M
  ) throws {
    let bytes: [UInt8] = try message.serializedBytes()
    let json: [UInt8] = try message.jsonUTF8Bytes()
    print("\(name)\tsize\t\(bytes.count)\t\(json.count)")
    try clock.measure(name, "decode") {
      try M(serializedBytes: bytes).unknownFields.data.count
    }
    try clock.measure(name, "encode") {
      let encoded: [UInt8] = try message.serializedBytes()
      return encoded.count
    }
    try clock.measure(name, "bytes to JSON") {
      let text: [UInt8] = try M(serializedBytes: bytes).jsonUTF8Bytes()
      return text.count
    }
    try clock.measure(name, "JSON to bytes") {
      let encoded: [UInt8] = try M(jsonUTF8Bytes: json).serializedBytes()
      return encoded.count
    }
  }
}

/// The messages of `codec-bench`.
enum BenchMessages {
  typealias Job = Oneshot_Sample_V1_BenchJob

  static func echo(_ count: Int) -> Oneshot_Sample_V1_BenchEcho {
    .with { $0.payload = .init(repeating: 7, count: count) }
  }

  static let createJob = Oneshot_Sample_V1_BenchCreateJob.with {
    $0.jobType = "face_swap"
    $0.inputURL = "https://files.example.com/uploads/0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f.jpg"
    $0.numbers = ["strength": 0.75, "upscale": 2]
    $0.texts = [
      "prompt": "a portrait in the style of a renaissance painting", "format": "png",
    ]
    $0.priority = 3
    $0.idempotencyKey = "b6f1c2d3-0000-4000-8000-1234567890ab"
    $0.webhookURL = "https://app.example.com/hooks/jobs"
  }

  static func job(_ number: Int64) -> Job {
    .with {
      $0.id = "0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
      $0.userID = "user-12345678"
      $0.jobType = "face_swap"
      $0.status = .running
      $0.progress = 42
      $0.tags = ["portrait", "vacation", "summer"]
      $0.labels = [
        "model": "inswapper-128", "region": "eu-central", "tier": "pro", "app": "ios",
      ]
      $0.createdAt = .with {
        $0.seconds = 1_780_000_000; $0.nanos = 123_456_789
      }
      $0.updatedAt = .with {
        $0.seconds = 1_780_000_042; $0.nanos = 987_000_000
      }
      $0.creditsCost = 12 * number
      $0.resultURL = "https://files.example.com/results/0192f0c1.jpg?expires=1780003600"
      $0.watermark = true
    }
  }

  static let page = Oneshot_Sample_V1_BenchPage.with {
    $0.jobs = (1...36).map { job($0) }
    $0.cursor = "eyJhZnRlciI6IjAxOTJmMGMxIn0"
    $0.totals = (0..<50).map { $0 * 1000 }
  }
}
