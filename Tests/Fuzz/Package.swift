// swift-tools-version: 6.2
import PackageDescription

// The fuzz targets, a package of its own: everything in it is built with coverage, which the main
// build must not see. `Sources` and `Protos` lead to the code of the main package.

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: strict)
}

func library(_ name: String, pkgConfig: String) -> Target {
  .systemLibrary(name: name, path: "Sources/\(name)", pkgConfig: pkgConfig)
}

func cModule(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(name)")
}

/// A program that libFuzzer drives.
func fuzzer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["CFuzzer"] + dependencies,
    path: "Targets/\(name)",
    swiftSettings: strict
  )
}

let package = Package(
  name: "OneShotFuzz",
  platforms: [.macOS(.v15)],
  targets: [
    library("CUV", pkgConfig: "libuv"),
    library("CNghttp2", pkgConfig: "libnghttp2"),
    library("COpenSSL", pkgConfig: "openssl"),
    library("CProtobufC", pkgConfig: "libprotobuf-c"),
    library("CZlib", pkgConfig: "zlib"),
    .target(name: "CFuzzer", path: "Targets/CFuzzer"),
    cModule("CLoopThread"),
    cModule("CSockets"),
    .target(
      name: "CLlhttp",
      path: "Sources/CLlhttp",
      cSettings: [.define("LLHTTP_STRICT_MODE", to: "1")]
    ),
    .target(
      name: "CSimdjson",
      path: "Sources/CSimdjson",
      linkerSettings: [.linkedLibrary("simdjson")]
    ),
    cModule("CProtobufWellKnown", ["CProtobufC"]),
    cModule("CRPCProtos", ["CProtobufC", "CProtobufWellKnown"]),
    .target(
      name: "CTestProtos",
      dependencies: ["CProtobufC", "CProtobufWellKnown"],
      path: "Protos/CTestProtos"
    ),
    .target(
      name: "TestProtos",
      dependencies: ["Protobuf", "CTestProtos"],
      path: "Protos/TestProtos",
      swiftSettings: strict
    ),
    module("EventLoop", ["CUV", "CLoopThread"]),
    module("Net", ["EventLoop", "COpenSSL", "CSockets"]),
    module("HTTP2", ["EventLoop", "Net", "CNghttp2"]),
    module("HTTPCore"),
    module("HTTP1", ["HTTPCore", "CLlhttp"]),
    module("Protobuf", ["CProtobufC", "CProtobufWellKnown"]),
    module("JSON", ["CSimdjson"]),
    module("ProtobufJSON", ["JSON", "Protobuf"]),
    module("Gzip", ["CZlib"]),
    module("RPC", ["EventLoop", "Net", "HTTP2", "Gzip", "Protobuf", "CRPCProtos"]),
    fuzzer("FuzzMessage", ["Protobuf", "TestProtos"]),
    fuzzer("FuzzJSON", ["JSON", "ProtobufJSON", "Protobuf", "TestProtos"]),
    fuzzer("FuzzHTTP1", ["HTTP1", "HTTPCore"]),
    fuzzer("FuzzHTTP2", ["HTTP2", "Net"]),
    fuzzer("FuzzFraming", ["RPC"]),
  ],
  cxxLanguageStandard: .cxx17
)
