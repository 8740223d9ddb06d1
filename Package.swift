// swift-tools-version: 6.2
import PackageDescription

// One C library is imported by exactly one Swift module: release builds see libc's headers through
// whichever C module was loaded first, so two of them in one module break there.

/// What every Swift target is compiled with.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

/// The same for the modules that every call runs through.
///
/// Their release builds trust that no two accesses to a variable overlap, which debug builds, and so
/// all tests, check while they run. The checks cost a call an eighth of its time
/// (docs/decisions/2026-11-21-exclusivity.md).
let hot: [SwiftSetting] =
  strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// What every C target is compiled with.
let strictC: [CSetting] = [.treatAllWarnings(as: .error)]

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let lifecycle: Target.Dependency = .product(
  name: "ServiceLifecycle",
  package: "swift-service-lifecycle"
)
let jwt: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")
let arguments: Target.Dependency = .product(
  name: "ArgumentParser",
  package: "swift-argument-parser"
)

/// A module of ours.
func module(
  _ name: String,
  _ dependencies: [Target.Dependency] = [],
  settings: [SwiftSetting] = strict
) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// One service.
func service(
  _ name: String,
  _ dependencies: [Target.Dependency] = [],
  resources: [Resource] = []
) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["ServiceKit", "OneShotAPI", "RPC", "EventLoop", "Protobuf", log, metrics]
      + dependencies,
    resources: resources,
    swiftSettings: strict
  )
}

/// The tests of one module.
func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests",
    dependencies: [.byName(name: name)] + dependencies,
    swiftSettings: strict
  )
}

/// C libraries, each behind a module map and the shim that Swift needs.
let cLibraries: [Target] = [
  .systemLibrary(name: "CUV", pkgConfig: "libuv"),
  .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2"),
  .systemLibrary(name: "COpenSSL", pkgConfig: "openssl"),
  .systemLibrary(name: "CProtobufC", pkgConfig: "libprotobuf-c"),
  .systemLibrary(name: "CLibpq", pkgConfig: "libpq"),
  .systemLibrary(name: "CHiredis"),
  .systemLibrary(name: "CCurl", pkgConfig: "libcurl"),
  .systemLibrary(name: "CVips", pkgConfig: "gobject-2.0"),
  .systemLibrary(name: "CCrypt"),
  .systemLibrary(name: "CZlib"),
  .target(name: "CLoopThread", cSettings: strictC),
  .target(name: "CSockets", cSettings: strictC),
  .target(name: "CSandbox", cSettings: strictC),
  .target(name: "CChildProcess", cSettings: strictC),
  .target(name: "CLlhttp", cSettings: strictC + [.define("LLHTTP_STRICT_MODE", to: "1")]),
  .target(
    name: "CSimdjson",
    cxxSettings: [.treatAllWarnings(as: .error)],
    linkerSettings: [.linkedLibrary("simdjson")]
  ),
  .target(
    name: "COpenCV",
    // Debian's headers are in a folder of their own and come without a pkg-config file. Loops over
    // pixels are optimised in debug builds too: the tests would take five times as long.
    cxxSettings: [
      .unsafeFlags(["-isystem", "/usr/include/opencv4", "-O2"]), .treatAllWarnings(as: .error),
    ],
    linkerSettings: ["core", "imgproc", "objdetect", "photo"].map {
      .linkedLibrary("opencv_\($0)")
    }
  ),
]

/// What protoc-gen-c has made of the schema.
let generatedC: [Target] =
  [.target(name: "CProtobufWellKnown", dependencies: ["CProtobufC"], cSettings: strictC)]
  + ["CRPCProtos", "COneShotAPI", "CEchoAPI"].map {
    .target(name: $0, dependencies: ["CProtobufC", "CProtobufWellKnown"], cSettings: strictC)
  }

/// Every kind of field, for tests only.
let testProtos: [Target] = [
  .target(
    name: "CTestProtos",
    dependencies: ["CProtobufC", "CProtobufWellKnown"],
    path: "Tests/Protos/CTestProtos",
    cSettings: strictC
  ),
  .target(
    name: "TestProtos",
    dependencies: ["Protobuf", "CTestProtos"],
    path: "Tests/Protos/TestProtos",
    swiftSettings: strict
  ),
  // Starts the fake servers of tests.
  .target(name: "PythonServers", path: "Tests/Support/PythonServers", swiftSettings: strict),
]

/// gRPC's interoperability tests: a server, a client, and what both speak.
let interop: [Target] =
  [
    .target(
      name: "CInteropAPI",
      dependencies: ["CProtobufC", "CProtobufWellKnown"],
      path: "Tests/Interop/CInteropAPI",
      cSettings: strictC
    ),
    .target(
      name: "InteropAPI",
      dependencies: ["RPC", "Protobuf", "CInteropAPI"],
      path: "Tests/Interop/InteropAPI",
      swiftSettings: strict
    ),
    .target(
      name: "InteropOptions",
      dependencies: ["Net", arguments],
      path: "Tests/Interop/InteropOptions",
      swiftSettings: strict
    ),
  ]
  + [("interop-server", "InteropServer"), ("interop-client", "InteropClient")].map {
    .executableTarget(
      name: $0.0,
      dependencies: ["InteropAPI", "InteropOptions", "RPC", "EventLoop", "Net", arguments],
      path: "Tests/Interop/\($0.1)",
      swiftSettings: strict
    )
  }

let modules: [Target] = [
  module("EventLoop", ["CUV", "CLoopThread"], settings: hot),
  module("Net", ["EventLoop", "COpenSSL", "CSockets"], settings: hot),
  module("HTTP2", ["EventLoop", "Net", "CNghttp2"], settings: hot),
  module("HTTPCore"),
  module("HTTP1", ["HTTPCore", "CLlhttp"]),
  module("HTTPClient", ["EventLoop", "HTTPCore", "CCurl"]),
  module("Protobuf", ["CProtobufC", "CProtobufWellKnown"], settings: hot),
  module("JSON", ["CSimdjson"]),
  module("ProtobufJSON", ["JSON", "Protobuf"]),
  module("Gzip", ["CZlib"]),
  module(
    "RPC",
    ["EventLoop", "Net", "HTTP2", "Gzip", "Protobuf", "CRPCProtos"],
    settings: hot
  ),
  module("Postgres", ["EventLoop", "CLibpq", log]),
  module("Redis", ["EventLoop", "CHiredis", log]),
  module("ObjectStore", ["EventLoop", "HTTPClient", "HTTPCore", crypto]),
  module("MediaProtocol"),
  module("Media", ["MediaProtocol", "CVips", "COpenCV"]),
  module("OneShotAPI", ["RPC", "Protobuf", "COneShotAPI"]),
  module("EchoAPI", ["RPC", "Protobuf", "CEchoAPI"]),
  module(
    "ServiceKit",
    [
      "EventLoop", "Net", "HTTPCore", "HTTP1", "HTTPClient", "JSON", "ObjectStore", "Protobuf",
      "RPC", "Postgres", "Redis", log, metrics, coreMetrics, lifecycle,
    ]
  ),
]

let services: [Target] = [
  service(
    "AuthSvc",
    ["Postgres", "Redis", "CCrypt", crypto, jwt],
    resources: [.embedInCode("Migrations")]
  ),
  service("BillingSvc", ["Postgres"], resources: [.embedInCode("Migrations")]),
  service(
    "JobSvc",
    ["Postgres", "Redis", "ObjectStore", "HTTPClient", "HTTPCore", "ProtobufJSON", crypto],
    resources: [.embedInCode("Migrations")]
  ),
  service(
    "GPUGateway",
    [
      "Postgres", "ObjectStore", "HTTPClient", "HTTPCore", "MediaProtocol", "CChildProcess", crypto,
    ],
    resources: [.embedInCode("Migrations")]
  ),
  service(
    "EdgeProxy",
    [
      "HTTPCore", "HTTP1", "HTTP2", "HTTPClient", "Net", "Redis", "JSON", "ProtobufJSON",
      "ObjectStore", crypto, jwt,
    ]
  ),
  .executableTarget(
    name: "MediaWorker",
    dependencies: ["Media", "MediaProtocol", "CSandbox"],
    swiftSettings: strict
  ),
  .executableTarget(
    name: "OneShotCtl",
    dependencies: [
      "ServiceKit", "Postgres", "EventLoop", "HTTPClient", "HTTPCore", "Net", arguments, log,
    ],
    swiftSettings: strict
  ),
  .executableTarget(
    name: "codec-probe",
    dependencies: ["Protobuf", "ProtobufJSON", "JSON", "TestProtos"],
    path: "Sources/CodecProbe",
    swiftSettings: strict
  ),
  .executableTarget(
    name: "data-bench",
    dependencies: ["EventLoop", "Postgres", "Redis", log],
    path: "Sources/DataBench",
    swiftSettings: strict
  ),
  .executableTarget(
    name: "codec-bench",
    dependencies: ["Protobuf", "ProtobufJSON", "JSON", "TestProtos"],
    path: "Sources/CodecBench",
    swiftSettings: strict
  ),
  .executableTarget(
    name: "EchoServer",
    dependencies: ["EchoAPI", "RPC", "EventLoop", "Net", arguments],
    swiftSettings: strict
  ),
]

let moduleTests: [Target] = [
  tests("EventLoop"),
  tests("Net", ["EventLoop"]),
  tests("HTTP2", ["EventLoop", "Net"]),
  tests("HTTP1", ["HTTPCore"]),
  tests("HTTPClient", ["EventLoop", "HTTPCore", "PythonServers"]),
  tests("Protobuf", ["TestProtos"]),
  tests("JSON", ["Protobuf", "ProtobufJSON", "TestProtos"]),
  tests("Gzip"),
  tests("RPC", ["EventLoop", "Gzip", "HTTP2", "Net"]),
  tests("Postgres", ["EventLoop", log]),
  tests("Redis", ["EventLoop", log]),
  tests("ObjectStore", ["EventLoop", "HTTPClient", crypto]),
  tests(
    "ServiceKit",
    ["EventLoop", "Net", "RPC", "Protobuf", log, metrics, coreMetrics]
  ),
  tests("MediaProtocol"),
  tests("Media", ["MediaProtocol"]),
  tests("MediaWorker", ["MediaProtocol"]),
]

let serviceTests: [Target] = [
  tests(
    "AuthSvc",
    ["EventLoop", "HTTP2", "OneShotAPI", "Postgres", "RPC", "ServiceKit", log, jwt, crypto]
  ),
  tests("BillingSvc", ["EventLoop", "HTTP2", "OneShotAPI", "Postgres", "RPC", "ServiceKit", log]),
  tests(
    "JobSvc",
    [
      "EventLoop", "HTTPClient", "HTTPCore", "Net", "ObjectStore", "OneShotAPI", "Postgres",
      "Protobuf", "PythonServers", "Redis", "RPC", "ServiceKit", crypto, log,
    ]
  ),
  tests(
    "GPUGateway",
    [
      "EventLoop", "HTTPClient", "MediaProtocol", "Net", "ObjectStore", "OneShotAPI", "Postgres",
      "Protobuf", "RPC", "ServiceKit", log,
    ]
  ),
  tests(
    "EdgeProxy",
    [
      "EchoAPI", "EventLoop", "HTTP1", "HTTP2", "HTTPClient", "HTTPCore", "JSON", "Net",
      "ObjectStore", "OneShotAPI", "Protobuf", "ProtobufJSON", "Redis", "RPC", "ServiceKit",
      crypto, jwt, log,
    ]
  ),
]

let package = Package(
  name: "OneShot",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "oneshot", targets: ["OneShotCtl"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  ],
  targets: cLibraries + generatedC + testProtos + interop + modules + services + moduleTests
    + serviceTests,
  cxxLanguageStandard: .cxx17
)
