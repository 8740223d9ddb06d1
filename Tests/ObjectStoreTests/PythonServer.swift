import Foundation

/// A Python script of `Tests/Support` that prints one line and serves until the tests end.
struct PythonServer {
  /// The line that it printed.
  let line: String
  private let stop: Pipe

  struct StartFailure: Error, CustomStringConvertible {
    let description: String
  }

  init(_ script: String, interpreter: String) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [interpreter, Self.support.appending(path: script).path]
    // The server ends when this pipe closes with the test process.
    stop = Pipe()
    process.standardInput = stop
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.availableData
    line = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    guard !line.isEmpty else {
      throw StartFailure(description: "\(script) did not start; its reason is on standard error")
    }
  }

  /// The folder of scripts and fixtures.
  static let support = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Support")

  static func environment(_ name: String, default value: String) -> String {
    ProcessInfo.processInfo.environment[name] ?? value
  }
}
