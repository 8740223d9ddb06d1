import Foundation
import MediaProtocol
import Testing

/// Runs the real executable once.
struct WorkerProcess {
  /// What a run came to.
  struct Outcome {
    var status: Int32
    var wasKilled: Bool
    var output: [UInt8]
    var complaints: String

    /// What the worker said, by the gateway's own reader.
    func replies() throws -> [MediaReply] {
      var reader = MediaReplyReader()
      return try output.withUnsafeBytes { try reader.receive($0) }
    }

    /// The last word, if it was a failure.
    func failure() throws -> MediaError? {
      if case .failed(let error) = try replies().last { error } else { nil }
    }
  }

  var arguments: [String] = []
  var environment: [String: String] = [:]
  /// Address space that the shell in between allows, in KiB.
  var addressSpaceKiB: Int?

  /// The executable lies beside the test bundle.
  private static func executable() throws -> URL {
    let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    var folder = URL(filePath: bundle).deletingLastPathComponent()
    let fromArguments = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    if !FileManager.default.isExecutableFile(atPath: folder.appending(path: "MediaWorker").path) {
      folder = fromArguments
    }
    return folder.appending(path: "MediaWorker")
  }

  func run(_ input: [UInt8]) throws -> Outcome {
    signal(SIGPIPE, SIG_IGN)
    let process = Process()
    let path = try Self.executable()
    if let addressSpaceKiB {
      process.executableURL = URL(filePath: "/bin/bash")
      let script = "ulimit -v \(addressSpaceKiB) && exec env -i \"$0\""
      process.arguments = ["-c", script, path.path]
    } else {
      process.executableURL = path
      process.arguments = arguments
    }
    process.environment = environment
    let pipes = (input: Pipe(), output: Pipe(), complaints: Pipe())
    process.standardInput = pipes.input
    process.standardOutput = pipes.output
    process.standardError = pipes.complaints
    try process.run()
    // The worker reads its whole request before it says much, so one thread can do both; one that
    // refuses early closes the pipe, and its answer tells why.
    try? pipes.input.fileHandleForWriting.write(contentsOf: Data(input))
    try? pipes.input.fileHandleForWriting.close()
    let output = try pipes.output.fileHandleForReading.readToEnd() ?? Data()
    let complaints = try pipes.complaints.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus,
      wasKilled: process.terminationReason == .uncaughtSignal,
      output: [UInt8](output),
      complaints: String(decoding: complaints, as: UTF8.self)
    )
  }

  func run(_ request: MediaRequest) throws -> Outcome {
    try run(try request.encoded())
  }

  static func portrait(_ name: String) throws -> [UInt8] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return [UInt8](try Data(contentsOf: folder.appending(path: "Fixtures/photos/\(name)")))
  }
}
