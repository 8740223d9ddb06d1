internal import Foundation

/// A fake server in Python that a test process starts once.
///
/// It prints its port and serves until its standard input closes, which happens with the process.
package struct PythonServer: Sendable {
  /// Where it listens.
  package let port: UInt16
  private let stop: Pipe

  private struct StartFailure: Error {}

  /// Starts a script of `Tests/Support`.
  package init(_ script: String) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: script)
    let python = ProcessInfo.processInfo.environment["ONESHOT_TEST_PYTHON"] ?? "python3"
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [python, file.path]
    stop = Pipe()
    process.standardInput = stop
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let port = UInt16(line.trimmingCharacters(in: .whitespacesAndNewlines)) else {
      throw StartFailure()
    }
    self.port = port
  }
}
