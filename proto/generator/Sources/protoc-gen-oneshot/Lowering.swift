internal import SwiftProtobuf
internal import SwiftProtobufPluginLibrary

/// Rewrites a schema to what protoc-gen-c 1.4.1 handles safely, with the same bytes on the wire.
///
/// - `string` becomes `bytes`: its C strings end at a NUL, and our scan checks the UTF-8.
/// - Enums become `int32`: unknown numbers need no C enum.
/// - `double` and `float` become their bits: it takes a negative zero for "not set".
/// - Maps become lists of entries (they are on the wire), since an entry's key may not be `bytes`.
/// - Custom options and the imports that only they need go: it knows no extensions.
/// - `optional` stays, as its oneof of one member, which gives presence.
enum Lowering {
  /// The request for protoc-gen-c that makes the C files of a set.
  static func request(_ schema: Schema) -> Google_Protobuf_Compiler_CodeGeneratorRequest {
    var request = Google_Protobuf_Compiler_CodeGeneratorRequest()
    request.fileToGenerate = schema.files.map(\.name)
    request.protoFile = schema.reachable
      .filter { !GenerationSet.isOptionsOnly($0) }
      .map(lowered)
    return request
  }

  private static func lowered(_ file: FileDescriptor) -> Google_Protobuf_FileDescriptorProto {
    let original = file.extractProto()
    var result = Google_Protobuf_FileDescriptorProto()
    result.name = original.name
    result.package = original.package
    result.syntax = "proto3"
    result.dependency = file.dependencies
      .filter { !GenerationSet.isOptionsOnly($0) }
      .map(\.name)
    result.messageType = original.messageType.map(lowered)
    return result
  }

  private static func lowered(
    _ message: Google_Protobuf_DescriptorProto
  ) -> Google_Protobuf_DescriptorProto {
    var result = Google_Protobuf_DescriptorProto()
    result.name = message.name
    result.field = message.field.map(lowered)
    result.nestedType = message.nestedType.map(lowered)
    result.oneofDecl = message.oneofDecl.map { lowered(oneof: $0.name) }
    if message.options.mapEntry { giveMembersPresence(&result) }
    return result
  }

  private static func lowered(oneof name: String) -> Google_Protobuf_OneofDescriptorProto {
    var result = Google_Protobuf_OneofDescriptorProto()
    result.name = name.lowercased()
    return result
  }

  /// Key and value of a map's entry are written even at their defaults, as everywhere else.
  private static func giveMembersPresence(_ entry: inout Google_Protobuf_DescriptorProto) {
    for index in entry.field.indices where entry.field[index].type != .message {
      entry.field[index].proto3Optional = true
      entry.field[index].oneofIndex = Int32(entry.oneofDecl.count)
      entry.oneofDecl.append(lowered(oneof: "_" + entry.field[index].name))
    }
  }

  private static func lowered(
    _ field: Google_Protobuf_FieldDescriptorProto
  ) -> Google_Protobuf_FieldDescriptorProto {
    var result = field
    result.name = CNames.field(field.name)
    result.clearOptions()
    result.clearJsonName()
    switch field.type {
    case .string: result.type = .bytes
    case .double: result.type = .fixed64
    case .float: result.type = .fixed32
    case .enum:
      result.type = .int32
      result.clearTypeName()
    default:
      break
    }
    let isPackable = ![.string, .bytes, .message, .group].contains(field.type)
    if field.label == .repeated, isPackable {
      result.options.packed = field.options.hasPacked ? field.options.packed : true
    }
    return result
  }
}
