// swift-tools-version: 6.2
import PackageDescription

// The modules that own C memory and their suites, and nothing else: a build with a sanitizer cannot
// use what was built without, and the packages of the services take minutes to build. `Sources` and
// `Suites` are links into the main package; `make sanitize` runs this.

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: strict)
}

func library(_ name: String, pkgConfig: String? = nil) -> Target {
  .systemLibrary(name: name, path: "Sources/\(name)", pkgConfig: pkgConfig)
}

func code(
  _ name: String,
  _ dependencies: [Target.Dependency] = [],
  path: String? = nil,
  cSettings: [CSetting] = [],
  cxxSettings: [CXXSetting] = [],
  linker: [String] = []
) -> Target {
  .target(
    name: name,
    dependencies: dependencies,
    path: path ?? "Sources/\(name)",
    cSettings: cSettings,
    cxxSettings: cxxSettings,
    linkerSettings: linker.map { .linkedLibrary($0) }
  )
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests",
    dependencies: [.byName(name: name)] + dependencies,
    path: "Suites/\(name)Tests",
    swiftSettings: strict
  )
}

let package = Package(
  name: "Sanitize",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
  ],
  targets: [
    .target(name: "CMutexOrder", path: "Mutex"),
    library("CUV", pkgConfig: "libuv"),
    library("CNghttp2", pkgConfig: "libnghttp2"),
    library("COpenSSL", pkgConfig: "openssl"),
    library("CProtobufC", pkgConfig: "libprotobuf-c"),
    library("CLibpq", pkgConfig: "libpq"),
    library("CHiredis"),
    library("CCurl", pkgConfig: "libcurl"),
    library("CVips", pkgConfig: "gobject-2.0"),
    library("CCrypt"),
    library("CZlib"),
    code("CLoopThread"),
    code("CSockets"),
    code("CLlhttp", cSettings: [.define("LLHTTP_STRICT_MODE", to: "1")]),
    code("CSimdjson", linker: ["simdjson"]),
    code(
      "COpenCV",
      cxxSettings: [.unsafeFlags(["-isystem", "/usr/include/opencv4", "-O2"])],
      linker: ["core", "imgproc", "objdetect", "photo"].map { "opencv_\($0)" }
    ),
    code("CProtobufWellKnown", ["CProtobufC"]),
    code("CRPCProtos", ["CProtobufC", "CProtobufWellKnown"]),
    code(
      "CTestProtos",
      ["CProtobufC", "CProtobufWellKnown"],
      path: "Suites/Protos/CTestProtos"
    ),
    .target(
      name: "TestProtos",
      dependencies: ["Protobuf", "CTestProtos"],
      path: "Suites/Protos/TestProtos",
      swiftSettings: strict
    ),
    .target(
      name: "PythonServers",
      path: "Suites/Support/PythonServers",
      swiftSettings: strict
    ),
    module("EventLoop", ["CUV", "CLoopThread", "CMutexOrder"]),
    module("Net", ["EventLoop", "COpenSSL", "CSockets"]),
    module("HTTP2", ["EventLoop", "Net", "CNghttp2"]),
    module("HTTPCore"),
    module("HTTP1", ["HTTPCore", "CLlhttp"]),
    module("HTTPClient", ["EventLoop", "HTTPCore", "CCurl"]),
    module("Protobuf", ["CProtobufC", "CProtobufWellKnown"]),
    module("JSON", ["CSimdjson"]),
    module("ProtobufJSON", ["JSON", "Protobuf"]),
    module("Gzip", ["CZlib"]),
    module("RPC", ["EventLoop", "Net", "HTTP2", "Gzip", "Protobuf", "CRPCProtos"]),
    module("Postgres", ["EventLoop", "CLibpq", log]),
    module("Redis", ["EventLoop", "CHiredis", log]),
    module("ObjectStore", ["EventLoop", "HTTPClient", "HTTPCore", crypto]),
    module("MediaProtocol"),
    module("Media", ["MediaProtocol", "CVips", "COpenCV"]),
    // Of this service the part that owns C memory: passwords.
    .target(
      name: "AuthSvc",
      dependencies: ["EventLoop", "RPC", "CCrypt"],
      path: "Sources/AuthSvc/Passwords",
      swiftSettings: strict
    ),
    .testTarget(
      name: "AuthSvcTests",
      dependencies: ["AuthSvc"],
      path: "Suites/AuthSvcTests/Passwords",
      swiftSettings: strict
    ),
    tests("EventLoop"),
    tests("Net", ["EventLoop"]),
    tests("HTTP2", ["EventLoop"]),
    tests("HTTP1", ["HTTPCore"]),
    tests("HTTPClient", ["EventLoop", "HTTPCore", "PythonServers"]),
    tests("Protobuf", ["TestProtos"]),
    tests("JSON", ["Protobuf", "ProtobufJSON", "TestProtos"]),
    tests("Gzip"),
    tests("RPC", ["EventLoop", "Gzip", "HTTP2", "Net"]),
    tests("Postgres", ["EventLoop", log]),
    tests("Redis", ["EventLoop", log]),
    tests("ObjectStore", ["EventLoop", "HTTPClient", crypto]),
    tests("MediaProtocol"),
    tests("Media", ["MediaProtocol"]),
  ],
  cxxLanguageStandard: .cxx17
)
