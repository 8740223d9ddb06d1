#if canImport(Glibc)
  internal import Glibc
#endif
import Media
import MediaProtocol

/// The worker: one job from standard input to standard output, then the end.
///
/// It has no configuration, no secrets and no arguments. The order of ``main()`` is the point:
/// libraries are loaded first, then the cage is closed, and only then is a byte read.
/// `--self-check` prints what the closed cage refuses, one probe a line, and reads nothing.
@main
enum MediaWorkerMain {
  static func main() {
    guard EnvironmentRule.isKept else {
      complain("the environment holds more than \(EnvironmentRule.allowed.sorted())")
      exit(ExitCode.environmentRefused)
    }
    let sandbox = Sandbox()
    sandbox.prepare()
    // Read now: the arguments come from a file in /proc, which the cage does not open.
    let isSelfCheck = CommandLine.arguments.dropFirst().first == "--self-check"
    let engine = Result { () throws(MediaError) in try MediaEngine(plugins: false) }
    sandbox.close()
    if isSelfCheck {
      for line in SelfCheck.report() { say(line, to: STDOUT_FILENO) }
      return
    }
    exit(JobRunner(engine: engine).run())
  }

  /// Says something on standard error; the parent logs it.
  static func complain(_ message: String) {
    say("media worker: \(message)", to: STDERR_FILENO)
  }

  /// Writes a line without stdio, which asks the system for more than the cage allows.
  private static func say(_ line: String, to descriptor: Int32) {
    let bytes = Array("\(line)\n".utf8)
    _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
  }
}

/// Exit statuses of the worker.
enum ExitCode {
  /// A result was delivered.
  static let finished: Int32 = 0
  /// A failure was delivered.
  static let failed: Int32 = 1
  /// The parent's pipe is gone.
  static let abandoned: Int32 = 2
  /// The environment holds something that does not belong here.
  static let environmentRefused: Int32 = 64
  /// The sandbox could not be made.
  static let sandboxRefused: Int32 = 65
}
