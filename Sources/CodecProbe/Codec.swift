internal import JSON
internal import Protobuf
internal import ProtobufJSON
internal import TestProtos

/// The operations on all types of the test schema.
final class Codec {
  private typealias Recode = ([UInt8]) throws -> [UInt8]

  private let schema: JSONSchema
  private let parser: JSONParser
  private let recoders: [String: Recode]

  init() throws {
    var infos: [MessageInfo] = []
    var recoders: [String: Recode] = [:]
    for type in Self.types {
      infos.append(type.info)
      recoders[type.fullName] = { try Self.recode(type, $0) }
    }
    self.recoders = recoders
    schema = JSONSchema(roots: infos)
    parser = try JSONParser()
  }

  private static let types: [any ProtobufMessage.Type] = [
    Sample.Scalars.self, Sample.Optionals.self, Sample.Lists.self, Sample.Maps.self,
    Sample.Choices.self, Sample.Tree.self, Sample.Loop.self, Sample.WellKnown.self,
    Sample.Names.self, Sample.Options.self, Sample.Narrow.self, Sample.BenchJob.self,
    Sample.BenchCreateJob.self, Sample.BenchEcho.self, Sample.BenchPage.self,
    Sample.EachScalar.self,
    Sample.EachOptional.self, Sample.EachList.self,
    Sample.EachUnpacked.self, Sample.EachMapKey.self, Sample.EachMapValue.self,
    Sample.EachOneof.self, Sample.EachWellKnown.self, Sample.Awkward.self, Sample.Nothing.self,
    GoogleProtobuf.Timestamp.self, GoogleProtobuf.Duration.self, GoogleProtobuf.FieldMask.self,
    GoogleProtobuf.Struct.self, GoogleProtobuf.Value.self, GoogleProtobuf.ListValue.self,
    GoogleProtobuf.AnyMessage.self, GoogleProtobuf.Empty.self, GoogleProtobuf.DoubleValue.self,
    GoogleProtobuf.FloatValue.self, GoogleProtobuf.Int64Value.self,
    GoogleProtobuf.UInt64Value.self, GoogleProtobuf.Int32Value.self,
    GoogleProtobuf.UInt32Value.self, GoogleProtobuf.BoolValue.self,
    GoogleProtobuf.StringValue.self, GoogleProtobuf.BytesValue.self,
  ]

  private static func recode<M: ProtobufMessage>(_ type: M.Type, _ bytes: [UInt8]) throws -> [UInt8]
  {
    try M(decoding: bytes).encoded()
  }

  func run(_ request: Request) throws -> [UInt8] {
    switch request.operation {
    case .describe:
      return descriptors()
    case .recode:
      guard let recode = recoders[request.type] else { throw unknownType(request.type) }
      return try recode(request.payload)
    case .print:
      return try print(request, .proto)
    case .parse:
      return try parse(request)
    case .edge:
      var request = request
      request.payload = try print(request, .edge)
      return try parse(request)
    }
  }

  private func print(_ request: Request, _ style: JSONStyle) throws -> [UInt8] {
    let plan = try plan(request.type)
    var output: [UInt8] = []
    try request.payload.withUnsafeBytes { bytes in
      try schema.print(bytes, as: plan, style: style, to: &output)
    }
    return output
  }

  private func parse(_ request: Request) throws -> [UInt8] {
    var text = request.payload
    var message = RequestMessage(try plan(request.type), in: schema)
    try message.readBody(&text, with: parser)
    return message.packed(reserving: 0)
  }

  private func plan(_ type: String) throws -> MessagePlan {
    guard let plan = schema.plan(named: type) else { throw unknownType(type) }
    return plan
  }

  private func unknownType(_ type: String) -> RequestError {
    RequestError(description: "there is no type \(type)")
  }

  /// All files, each after its imports.
  private func descriptors() -> [UInt8] {
    let files = Dictionary(
      TestProtoFiles.all.map { ($0.name, $0) },
      uniquingKeysWith: { a, _ in a }
    )
    var output: [UInt8] = []
    var done: Set<String> = []
    func visit(_ name: String) {
      guard done.insert(name).inserted, let file = files[name] else { return }
      file.dependencies.forEach(visit)
      var writer = WireWriter()
      writer.bytes(file.bytes)
      writer.tag(1 << 3 | 2)
      writer.append(to: &output)
    }
    files.keys.sorted().forEach(visit)
    return output
  }
}
