import JSON
import Protobuf
import ProtobufJSON
import TestProtos

/// Reads and prints messages by name, as the edge does.
struct TranscodingFixture {
  static let schema = JSONSchema(roots: [
    Sample.Scalars.info, Sample.Optionals.info, Sample.Lists.info, Sample.Maps.info,
    Sample.Choices.info, Sample.Tree.info, Sample.WellKnown.info, Sample.Names.info,
    Sample.Options.info, Sample.EachMapValue.info, GoogleProtobuf.AnyMessage.info,
    GoogleProtobuf.FieldMask.info,
    GoogleProtobuf.ListValue.info, GoogleProtobuf.Empty.info, GoogleProtobuf.DoubleValue.info,
    GoogleProtobuf.FloatValue.info, GoogleProtobuf.Int64Value.info, GoogleProtobuf.UInt64Value.info,
    GoogleProtobuf.Int32Value.info, GoogleProtobuf.UInt32Value.info, GoogleProtobuf.BoolValue.info,
    GoogleProtobuf.StringValue.info, GoogleProtobuf.BytesValue.info,
  ])

  private let parser: JSONParser

  init() throws {
    parser = try JSONParser(maximumDepth: 400)
  }

  /// The message of a JSON text.
  func read<M: ProtobufMessage>(
    _ type: M.Type,
    _ json: String,
    ignoringUnknown: Bool = false
  ) throws -> M {
    try M(decoding: bytes(M.fullName, json, ignoringUnknown: ignoringUnknown))
  }

  /// The encoded message of a JSON text.
  func bytes(_ name: String, _ json: String, ignoringUnknown: Bool = false) throws -> [UInt8] {
    guard let plan = Self.schema.plan(named: name) else { throw UnknownMessage(name: name) }
    var message = RequestMessage(plan, in: Self.schema, ignoresUnknownFields: ignoringUnknown)
    var text = Array(json.utf8)
    try message.readBody(&text, with: parser)
    return message.packed(reserving: 0)
  }

  /// The JSON of a message.
  func print<M: ProtobufMessage>(_ message: M, _ style: JSONStyle = .proto) throws -> String {
    try print(M.fullName, message.encoded(), style)
  }

  /// The JSON of an encoded message.
  func print(_ name: String, _ bytes: [UInt8], _ style: JSONStyle = .proto) throws -> String {
    guard let plan = Self.schema.plan(named: name) else { throw UnknownMessage(name: name) }
    var output: [UInt8] = []
    var failure: TranscodingError?
    bytes.withUnsafeBytes { raw in
      do throws(TranscodingError) {
        try Self.schema.print(raw, as: plan, style: style, to: &output)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return String(decoding: output, as: UTF8.self)
  }

  /// What a text becomes when it is read and printed again.
  func roundTrip(_ name: String, _ json: String, _ style: JSONStyle = .proto) throws -> String {
    try print(name, bytes(name, json), style)
  }

  struct UnknownMessage: Error { let name: String }
}
