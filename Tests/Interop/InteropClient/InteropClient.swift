internal import ArgumentParser
internal import EventLoop
internal import Foundation
internal import InteropOptions
internal import Net
internal import RPC

/// Runs gRPC's interop test cases against the server of any gRPC implementation.
@main
struct InteropClient: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "interop-client",
    abstract: "The client of gRPC's interoperability tests.",
    discussion: """
      Each case prints one line; the exit code is 0 when all passed. Cases: \
      \(TestCase.allCases.map(\.rawValue).joined(separator: ", ")).
      """
  )

  @Option(name: .flags("server_host"), help: "Host to connect to.")
  var serverHost = "127.0.0.1"

  @Option(name: .flags("server_port"), help: "Port to connect to.")
  var serverPort: UInt16

  @Option(
    name: .flags("server_host_override"),
    help: "Name for the certificate and :authority instead of the host."
  )
  var serverHostOverride: String?

  @Option(name: .flags("test_case"), help: "Case to run; several with commas, or all.")
  var testCase = "all"

  @OptionGroup var tls: TLSOptions
  @OptionGroup var soak: SoakOptions

  func validate() throws { _ = try cases() }

  static func main() async { await main(commandLineArguments()) }

  func run() async throws {
    let group = try EventLoopGroup(count: 1)
    let override = serverHostOverride ?? (serverHost == "127.0.0.1" ? "localhost" : serverHost)
    let configuration = try Channel.Configuration(
      target: Endpoint.host(serverHost, port: serverPort).description,
      serverName: override,
      tls: try tls.clientContext()
    )
    let runner = CaseRunner(configuration: configuration, group: group, soak: soak)
    var failures = 0
    for one in try cases() where await !runs(one, runner) { failures += 1 }
    await runner.channel.close()
    guard failures == 0 else { throw ExitCode.failure }
  }

  private func runs(_ one: TestCase, _ runner: CaseRunner) async -> Bool {
    let started = ContinuousClock.now
    do {
      try await runner.run(one)
      say("\(one.rawValue): passed (\(Milliseconds(since: started)))")
      return true
    } catch {
      say("\(one.rawValue): failed (\(Milliseconds(since: started))): \(error)")
      return false
    }
  }

  private func cases() throws -> [TestCase] {
    if testCase == "all" { return TestCase.allCases }
    return try testCase.split(separator: ",").map { name in
      guard let one = TestCase(rawValue: String(name)) else {
        throw ValidationError("unknown test case '\(name)'")
      }
      return one
    }
  }
}

/// A length of time for people.
struct Milliseconds: CustomStringConvertible {
  let value: Int64

  init(since start: ContinuousClock.Instant) {
    let (seconds, attoseconds) = start.duration(to: .now).components
    value = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
  }

  var description: String { "\(value) ms" }
}

/// Prints a line at once, also into a pipe.
func say(_ line: String) {
  FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}
