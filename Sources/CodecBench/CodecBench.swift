internal import JSON
internal import Protobuf
internal import ProtobufJSON
internal import TestProtos

/// Measures the codec: `codec-bench TARGET_MILLISECONDS`, a line `case operation ns allocations` each.
///
/// `Benchmarks/codec.py` runs it in turn with the same program on swift-protobuf; the messages are the
/// same. Allocations are counted by a library that the script preloads.
@main
enum CodecBench {
  static func main() throws {
    let milliseconds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 100
    let clock = BenchClock(milliseconds: milliseconds)
    try Subject("echo 100 B", BenchMessages.echo(100)).measure(clock)
    try Subject("echo 1 KB", BenchMessages.echo(1000)).measure(clock)
    try Subject("CreateJob", BenchMessages.createJob).measure(clock)
    try Subject("Job", BenchMessages.job(1)).measure(clock)
    try Subject("page 10 KB", BenchMessages.page).measure(clock)
  }
}

/// One message and what is done with it.
struct Subject<M: ProtobufMessage> {
  let name: String
  let message: M
  let bytes: [UInt8]
  let json: [UInt8]
  let schema: JSONSchema
  let plan: MessagePlan
  let parser: JSONParser

  init(_ name: String, _ message: M) throws {
    self.name = name
    self.message = message
    let (schema, bytes) = (JSONSchema(roots: [M.info]), message.encoded())
    guard let plan = schema.plan(named: M.fullName) else { fatalError("no plan") }
    var json: [UInt8] = []
    try bytes.withUnsafeBytes { try schema.print($0, as: plan, style: .proto, to: &json) }
    (self.schema, self.plan, self.bytes, self.json) = (schema, plan, bytes, json)
    parser = try JSONParser()
  }
}

extension Subject {
  func measure(_ clock: BenchClock) throws {
    print("\(name)\tsize\t\(bytes.count)\t\(json.count)")
    try clock.measure(name, "decode") { try M(decoding: bytes).unknownFields.bytes.count }
    clock.measure(name, "encode") { message.encoded().count }
    var kept: [UInt8] = []
    kept.reserveCapacity(2 * bytes.count)
    clock.measure(name, "encode into buffer") {
      kept.removeAll(keepingCapacity: true)
      message.encode(appendingTo: &kept)
      return kept.count
    }
    try clock.measure(name, "bytes to JSON") {
      var output: [UInt8] = []
      try bytes.withUnsafeBytes { try schema.print($0, as: plan, style: .proto, to: &output) }
      return output.count
    }
    var text = json
    text.reserveCapacity(json.count + JSONParser.padding)
    try clock.measure(name, "JSON to bytes") {
      var request = RequestMessage(plan, in: schema)
      try request.readBody(&text, with: parser)
      return request.packed(reserving: 0).count
    }
  }
}

/// The messages; the other program makes the same.
enum BenchMessages {
  static func echo(_ count: Int) -> Sample.BenchEcho {
    Sample.BenchEcho(payload: [UInt8](repeating: 7, count: count))
  }

  static let createJob = Sample.BenchCreateJob(
    jobType: "face_swap",
    inputUrl: "https://files.example.com/uploads/0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f.jpg",
    numbers: ["strength": 0.75, "upscale": 2],
    texts: ["prompt": "a portrait in the style of a renaissance painting", "format": "png"],
    priority: 3,
    idempotencyKey: "b6f1c2d3-0000-4000-8000-1234567890ab",
    target: .webhookUrl("https://app.example.com/hooks/jobs")
  )

  static func job(_ number: Int64) -> Sample.BenchJob {
    Sample.BenchJob(
      id: "0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f",
      userId: "user-12345678",
      jobType: "face_swap",
      status: .running,
      progress: 42,
      tags: ["portrait", "vacation", "summer"],
      labels: ["model": "inswapper-128", "region": "eu-central", "tier": "pro", "app": "ios"],
      createdAt: GoogleProtobuf.Timestamp(seconds: 1_780_000_000, nanos: 123_456_789),
      updatedAt: GoogleProtobuf.Timestamp(seconds: 1_780_000_042, nanos: 987_000_000),
      creditsCost: 12 * number,
      resultUrl: "https://files.example.com/results/0192f0c1.jpg?expires=1780003600",
      watermark: true
    )
  }

  static let page = Sample.BenchPage(
    jobs: (1...36).map { job($0) },
    cursor: "eyJhZnRlciI6IjAxOTJmMGMxIn0",
    totals: (0..<50).map { $0 * 1000 }
  )
}
