internal import SwiftProtobufPluginLibrary

/// Proto files that become one Swift module (or part of one) and one C target.
struct GenerationSet {
  var name: String
  /// The module that the Swift files belong to.
  var swiftModule: String
  var swiftDirectory: String
  var cModule: String
  var cDirectory: String
  /// The enum that lists the file descriptors for reflection.
  var filesEnum: String
  /// The set has routes, an error table and an OpenAPI document.
  var hasPublicAPI = false

  static let all = [
    GenerationSet(
      name: "wellknown",
      swiftModule: "Protobuf",
      swiftDirectory: "Sources/Protobuf/Generated",
      cModule: "CProtobufWellKnown",
      cDirectory: "Sources/CProtobufWellKnown",
      filesEnum: "WellKnownFiles"
    ),
    GenerationSet(
      name: "rpc",
      swiftModule: "RPC",
      swiftDirectory: "Sources/RPC/Generated",
      cModule: "CRPCProtos",
      cDirectory: "Sources/CRPCProtos",
      filesEnum: "RPCProtoFiles"
    ),
    GenerationSet(
      name: "oneshot",
      swiftModule: "OneShotAPI",
      swiftDirectory: "Sources/OneShotAPI/Generated",
      cModule: "COneShotAPI",
      cDirectory: "Sources/COneShotAPI",
      filesEnum: "OneShotAPIFiles",
      hasPublicAPI: true
    ),
    GenerationSet(
      name: "echo",
      swiftModule: "EchoAPI",
      swiftDirectory: "Sources/EchoAPI/Generated",
      cModule: "CEchoAPI",
      cDirectory: "Sources/CEchoAPI",
      filesEnum: "EchoAPIFiles"
    ),
    GenerationSet(
      name: "interop",
      swiftModule: "InteropAPI",
      swiftDirectory: "Tests/Interop/InteropAPI/Generated",
      cModule: "CInteropAPI",
      cDirectory: "Tests/Interop/CInteropAPI",
      filesEnum: "InteropAPIFiles"
    ),
    GenerationSet(
      name: "test",
      swiftModule: "TestProtos",
      swiftDirectory: "Tests/Protos/TestProtos",
      cModule: "CTestProtos",
      cDirectory: "Tests/Protos/CTestProtos",
      filesEnum: "TestProtoFiles"
    ),
  ]

  static func named(_ name: String) -> GenerationSet? {
    all.first { $0.name == name }
  }

  /// The set whose Swift module holds the messages of a file; nil for files without generated code.
  static func owning(_ file: FileDescriptor) -> GenerationSet? {
    let name = file.name
    if isOptionsOnly(file) { return nil }
    if name.hasPrefix("google/protobuf/") { return named("wellknown") }
    if name.hasPrefix("grpc/testing/") { return named("interop") }
    if name.hasPrefix("google/rpc/") || name.hasPrefix("grpc/") { return named("rpc") }
    if name.hasPrefix("oneshot/echo/") { return named("echo") }
    if name.hasPrefix("oneshot/sample/") { return named("test") }
    return name.hasPrefix("oneshot/") ? named("oneshot") : nil
  }

  /// Files that only options need: reflection serves them, no message of them exists in Swift.
  static func isOptionsOnly(_ file: FileDescriptor) -> Bool {
    file.name == "google/protobuf/descriptor.proto"
      || file.name.hasPrefix("google/api/")
      || file.name.hasPrefix("oneshot/options/")
  }
}
