// swift-tools-version: 6.2
import PackageDescription

// One C library is imported by exactly one Swift module: release builds see libc headers through
// whichever C module is loaded first, so two of them in one module break there (docs/decisions).

/// What every Swift target is compiled with.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

/// What every C target is compiled with.
let strictC: [CSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
  name: "OneShot",
  platforms: [.macOS(.v15)],
  products: [],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  ],
  targets: [
    .systemLibrary(name: "CUV", pkgConfig: "libuv"),
    .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2"),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl"),
    .target(name: "CLoopThread", cSettings: strictC),
    .target(name: "EventLoop", dependencies: ["CUV", "CLoopThread"], swiftSettings: strict),
    .testTarget(name: "EventLoopTests", dependencies: ["EventLoop"], swiftSettings: strict),
  ]
)
