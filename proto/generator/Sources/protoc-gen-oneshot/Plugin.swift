internal import SwiftProtobuf
internal import SwiftProtobufPluginLibrary

/// The protoc plugin that writes OneShot's Swift and C from the `.proto` files.
///
/// Called once for each ``GenerationSet``, named by the parameter `set=…`; outputs are paths from the
/// repository's root.
@main
struct Plugin: CodeGenerator {
  init() {}

  var supportedFeatures: [Google_Protobuf_Compiler_CodeGeneratorResponse.Feature] {
    [.proto3Optional]
  }

  var customOptionExtensions: [any AnyMessageExtension] {
    [
      Oneshot_Generator_Extensions_http,
      Oneshot_Options_V1_Extensions_edge,
      Oneshot_Options_V1_Extensions_rpc,
      Oneshot_Options_V1_Extensions_field,
      Oneshot_Options_V1_Extensions_error,
    ]
  }

  func generate(
    files: [FileDescriptor],
    parameter: any CodeGeneratorParameter,
    protoCompilerContext: any ProtoCompilerContext,
    generatorOutputs: any GeneratorOutputs
  ) throws {
    guard let name = parameter.parsedPairs.first(where: { $0.key == "set" })?.value,
      let set = GenerationSet.named(name)
    else { throw GenerationError("give the parameter set=… with a known set") }
    let schema = try Schema(set: set, files: files)
    var outputs = try CTargetWriter(schema).outputs()
    outputs += try SwiftTargetWriter(schema).outputs()
    for output in outputs.sorted(by: { $0.path < $1.path }) {
      try generatorOutputs.add(fileName: output.path, contents: output.text)
    }
  }
}

/// One generated file.
struct Output {
  /// From the root of the repository.
  var path: String
  var text: String
}

/// What is wrong with a schema or a tool; protoc prints it.
struct GenerationError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
