// swift-tools-version: 6.2
import PackageDescription

// The same measurements as codec-bench's, on swift-protobuf; built on demand by codec.py, which also
// generates Sources/swift-protobuf-codec/Generated.

let package = Package(
  name: "SwiftProtobufCodec",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0")
  ],
  targets: [
    .executableTarget(
      name: "swift-protobuf-codec",
      dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
      swiftSettings: [.swiftLanguageMode(.v6)]
    )
  ]
)
