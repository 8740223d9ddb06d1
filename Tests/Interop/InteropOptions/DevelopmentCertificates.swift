internal import ArgumentParser
internal import Foundation

/// The certificates that `make certs` issues for this checkout.
enum DevelopmentCertificates {
  private static let script = "deploy/scripts/certs.sh"

  /// Their folder: the script makes what is missing, and prints where.
  static func folder() throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = try checkout().appending(path: script)
    process.arguments = ["folder"]
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw ValidationError(
        "\(script) failed; name the files by --cert_file, --key_file, --ca_file"
      )
    }
    return String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// The folder above this executable that holds the script.
  private static func checkout() throws -> URL {
    var folder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    while folder.path != "/" {
      folder.deleteLastPathComponent()
      let candidate = folder.appending(path: script)
      if FileManager.default.isExecutableFile(atPath: candidate.path) { return folder }
    }
    throw ValidationError(
      "no development certificates here; name the files by --cert_file, --key_file and --ca_file"
    )
  }
}
